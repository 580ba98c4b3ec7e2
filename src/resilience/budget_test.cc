#include "duplex/resilience/budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include "duplex/base/random.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;

const Time kStart{1000h};

BudgetSettings settings(double ratio, double floor) {
  BudgetSettings s;
  s.ratio = ratio;
  s.floor = floor;
  return s;
}
int taken(RetryBudget& budget, Time now) {
  int n = 0;
  while (n < 100'000 && budget.take(now)) ++n;
  return n;
}

TEST(RetryBudget, TheFloorIsThereWithoutCalls) {
  RetryBudget budget(settings(0.2, 10));
  EXPECT_EQ(budget.left(kStart), 100);
  EXPECT_EQ(taken(budget, kStart), 100);
  EXPECT_EQ(budget.left(kStart), 0);
  EXPECT_FALSE(budget.take(kStart + 10s - 1ms));
  EXPECT_EQ(taken(budget, kStart + 10s + 250ms), 100);
}

TEST(RetryBudget, CallsAllowForAShare) {
  RetryBudget budget(settings(0.2, 0));
  EXPECT_FALSE(budget.take(kStart));
  for (int i = 0; i < 1000; ++i) budget.count_call(kStart);
  EXPECT_EQ(taken(budget, kStart + 3s), 200);
}

TEST(RetryBudget, WhatAQuietHourLeavesOverIsNotThereForAStorm) {
  RetryBudget budget(settings(0.2, 0));
  for (int i = 0; i < 100'000; ++i) budget.count_call(kStart);
  EXPECT_EQ(taken(budget, kStart + 10s), 0);
}

TEST(RetryBudget, AReloadKeepsWhatWasCounted) {
  RetryBudget budget(settings(0.2, 0));
  for (int i = 0; i < 1000; ++i) budget.count_call(kStart);
  EXPECT_EQ(taken(budget, kStart), 200);
  budget.set(settings(0.3, 0));
  EXPECT_EQ(taken(budget, kStart), 100);
}

// Whatever comes when: in any ten seconds no more than max(ratio x calls, floor x 10 s).
TEST(RetryBudgetProperty, InAnyTenSeconds) {
  for (int round = 0; round < 60; ++round) {
    const double ratio = random_unit(), floor = random_below(2) ? 0 : random_unit() * 5;
    RetryBudget budget(settings(ratio, floor));
    Time now = kStart + std::chrono::nanoseconds(random_below(1'000'000'000));
    std::deque<Time> calls, retries;  // of the last ten seconds
    uint64_t rate = 1;
    for (int i = 0; i < 4000; ++i) {
      if (random_below(100) == 0) rate = 1 + random_below(500);
      if (random_below(500) == 0) now += 7s;
      now += std::chrono::microseconds(random_below(100'000 / rate + 1));
      for (auto* times : {&calls, &retries})
        while (!times->empty() && times->front() <= now - 10s) times->pop_front();
      if (random_below(3) == 0) {
        budget.count_call(now);
        calls.push_back(now);
      } else if (budget.take(now)) {
        retries.push_back(now);
        ASSERT_LE(static_cast<double>(retries.size()),
                  std::max(ratio * static_cast<double>(calls.size()), floor * 10) + 1e-9);
      }
    }
  }
}

// It does not promise much less than it may give, either: at a steady rate a share close to `ratio`.
TEST(RetryBudget, AtASteadyRateItGivesWhatItPromises) {
  RetryBudget budget(settings(0.2, 0));
  int calls = 0, retries = 0;
  for (Time now = kStart; now < kStart + 60s; now += 5ms) {
    budget.count_call(now);
    retries += budget.take(now);
    ++calls;
  }
  EXPECT_LE(retries, 0.2 * calls);
  EXPECT_GE(retries, 0.18 * calls);
}

TEST(RetryBudget, ThreadsTogetherTakeNoMore) {
  RetryBudget budget(settings(0, 10));
  std::atomic<int> got{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        budget.count_call(kStart);
        got += budget.take(kStart + std::chrono::milliseconds(i));
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_LE(got, 100);
  EXPECT_GE(got, 90);  // of those who ask at once too few are let through, rather than too many
}

// ---- gRPC's ----

TEST(RetryThrottle, ItsTokensAreCountedInThousandths) {
  ThrottleSettings s;
  s.max_tokens = 10;
  s.ratio = 0.1239;  // gRFC A6: three digits count
  RetryThrottle throttle(s);
  EXPECT_EQ(throttle.tokens(), 10);
  throttle.record(Told::kWorks);
  EXPECT_EQ(throttle.tokens(), 10);  // never more than all
  throttle.record(Told::kFails);
  throttle.record(Told::kWorks);
  EXPECT_EQ(throttle.tokens(), 9.123);
}

TEST(RetryThrottle, AtHalfAndBelowNoAttemptIsMade) {
  ThrottleSettings s;
  s.max_tokens = 4;
  s.ratio = 0.5;
  RetryThrottle throttle(s);
  throttle.record(Told::kFails);
  EXPECT_TRUE(throttle.take(kStart));
  throttle.record(Told::kFails);
  EXPECT_FALSE(throttle.take(kStart));  // 2 of 4
  throttle.record(Told::kWorks);
  EXPECT_TRUE(throttle.take(kStart));
  for (int i = 0; i < 10; ++i) throttle.record(Told::kFails);
  EXPECT_EQ(throttle.tokens(), 0);  // never fewer than none
}

}  // namespace
}  // namespace duplex::resilience
