// Many threads at one breaker.
#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "duplex/resilience/breaker.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using State = CircuitBreaker::State;
using Verdict = CircuitBreaker::Verdict;

constexpr int kThreads = 8;

template <class F>
void on_threads(F f) {
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      f(i);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(CircuitBreakerThreads, ExactlySoManyProbesAreLetThrough) {
  BreakerSettings s;
  s.window.calls = 1;
  s.probes = 5;
  for (int round = 0; round < 200; ++round) {
    CircuitBreaker breaker(s);
    Time now{1000s};
    breaker.record(breaker.try_acquire(now).permit, Verdict::kFailed, {}, now);
    ASSERT_EQ(breaker.snapshot(now).state, State::kOpen);
    now += 61s;
    std::atomic<int> admitted{0}, half_opened{0}, closed{0}, ended{0}, decided_early{0};
    std::array<std::vector<CircuitBreaker::Permit>, kThreads> permits;
    on_threads([&](int thread) {
      for (int i = 0; i < 20; ++i) {
        CircuitBreaker::Admission admission = breaker.try_acquire(now);
        half_opened += admission.changes.half_opened;
        if (!admission.admitted) continue;
        ++admitted;
        permits[static_cast<size_t>(thread)].push_back(admission.permit);
      }
    });
    EXPECT_EQ(admitted, s.probes);
    EXPECT_EQ(half_opened, 1);
    on_threads([&](int thread) {
      for (CircuitBreaker::Permit permit : permits[static_cast<size_t>(thread)]) {
        if (breaker.snapshot(now).state != State::kHalfOpen) ++decided_early;
        closed += breaker.record(permit, Verdict::kGood, {}, now).closed;
        ++ended;
      }
    });
    EXPECT_EQ(decided_early, 0);
    EXPECT_EQ(ended, s.probes);
    EXPECT_EQ(closed, 1);
    EXPECT_EQ(breaker.snapshot(now).state, State::kClosed);
  }
}

TEST(CircuitBreakerThreads, NoCallIsLostAndEachChangeIsToldOnce) {
  BreakerSettings s;
  s.window.calls = 100'000;
  CircuitBreaker breaker(s);
  const Time now{1000s};
  std::atomic<int> opened{0};
  on_threads([&](int thread) {
    for (int i = 0; i < 10'000; ++i) {
      // Fewer than half of them fail.
      const Verdict verdict = (i + thread) % 3 == 0 ? Verdict::kFailed : Verdict::kGood;
      opened += breaker.record(breaker.try_acquire(now).permit, verdict, {}, now).opened;
    }
  });
  EXPECT_EQ(opened, 0);
  EXPECT_EQ(breaker.snapshot(now).counts.calls, kThreads * 10'000u);
  on_threads([&](int) {
    for (int i = 0; i < 10'000; ++i) {
      CircuitBreaker::Admission admission = breaker.try_acquire(now);
      if (admission.admitted) opened += breaker.record(admission.permit, Verdict::kFailed, {}, now).opened;
    }
  });
  EXPECT_EQ(opened, 1);
  EXPECT_EQ(breaker.snapshot(now).state, State::kOpen);
}

TEST(CircuitBreakerThreads, GoodCallsThatLeaveAFullWindowAloneHideNoFailure) {
  BreakerSettings s;
  s.window.calls = 20;
  s.minimum = 20;
  s.failure_rate = 1;
  const Time now{1000s};
  CircuitBreaker breaker(s);
  std::atomic<int> opened{0};
  on_threads([&](int thread) {
    for (int i = 0; i < 20'000; ++i) {
      const Verdict verdict = thread == 0 && i % 50 == 0 ? Verdict::kFailed : Verdict::kGood;
      opened += breaker.record(breaker.try_acquire(now).permit, verdict, {}, now).opened;
    }
  });
  EXPECT_EQ(opened, 0);
  for (int i = 0; i < 20; ++i) breaker.record(breaker.try_acquire(now).permit, Verdict::kGood, {}, now);
  EXPECT_EQ(breaker.snapshot(now).counts, (CallCounts{20, 0, 0}));
  on_threads([&](int) {  // no good one among them: after twenty it is open
    for (int i = 0; i < 20; ++i) {
      CircuitBreaker::Admission admission = breaker.try_acquire(now);
      if (admission.admitted) opened += breaker.record(admission.permit, Verdict::kFailed, {}, now).opened;
    }
  });
  EXPECT_EQ(opened, 1);
}

TEST(CircuitBreakerThreads, SettingsAndSnapshotsMayComeAtAnyTime) {
  Breakers breakers;
  const Time now{1000s};
  on_threads([&](int thread) {
    for (int i = 0; i < 300; ++i) {
      BreakerSettings s;
      s.window.calls = 10 + i % 3;
      const Breakers::Brought brought = breakers.bring(s);
      CircuitBreaker& breaker = breakers.of("/shop.v1.Orders/" + std::to_string((i + thread) % 20), brought);
      CircuitBreaker::Admission admission = breaker.try_acquire(now);
      if (admission.admitted) breaker.record(admission.permit, Verdict::kGood, {}, now);
      if (i % 10 == 0) {
        for (const Breakers::OfMethod& of : breakers.snapshot(now)) EXPECT_EQ(of.breaker.state, State::kClosed);
      }
    }
  });
  EXPECT_EQ(breakers.snapshot(now).size(), 20u);
}

}  // namespace
}  // namespace duplex::resilience
