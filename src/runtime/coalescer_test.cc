// The pause against callers of several kinds, in simulated time.
#include "runtime/coalescer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

namespace duplex {
namespace {

using namespace std::chrono_literals;

struct Seen {
  size_t turns = 0, pauses = 0, calls = 0;
};

// A loop that serves calls for `span`. `arrivals` are due times; `answered` may give each call's caller a next one.
Seen simulate(Coalescer& coalescer, std::vector<Time> arrivals, const std::function<Time(Time)>& answered,
              Duration span) {
  Seen seen;
  Time now{1s};
  const Time end = now + span;
  for (;;) {
    now = std::max(now, *std::min_element(arrivals.begin(), arrivals.end()));
    if (now >= end) return seen;
    const Time began = now;
    size_t calls = 0;
    for (Time& due : arrivals) {
      if (due > began) continue;
      ++calls;
      due = kNever;
    }
    now += 5us + calls * 1500ns;
    for (Time& due : arrivals)
      if (due == kNever) due = answered(now);
    Duration pause = coalescer.after_turn(began, calls);
    ++seen.turns;
    seen.calls += calls;
    seen.pauses += pause > Duration::zero();
    now += pause;
  }
}

// Callers that ask again a while after they were answered.
Seen closed_loop(Coalescer& coalescer, size_t callers, Duration thinks, Duration span) {
  std::vector<Time> arrivals;
  for (size_t i = 0; i < callers; ++i) arrivals.push_back(Time{1s} + i * 7us);
  return simulate(coalescer, arrivals, [&](Time now) { return now + thinks; }, span);
}

// Calls that come at random, whether those before are answered or not.
Seen open_loop(Coalescer& coalescer, Duration apart, Duration span) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> gap(1.0 / static_cast<double>(apart.count()));
  std::vector<Time> pending;
  Time next{1s};
  for (; next < Time{1s} + span; next += Duration(static_cast<int64_t>(gap(random)))) pending.push_back(next);
  return simulate(coalescer, pending, [&](Time) { return Time::max() - 1h; }, span);
}

TEST(Coalescer, OneCallerAtATimeIsNotHeldBack) {
  Coalescer coalescer(30us);
  Seen seen = closed_loop(coalescer, 1, 20us, 2s);
  EXPECT_GT(seen.calls, 60'000u);
  EXPECT_LT(seen.pauses, seen.turns / 100);
}

TEST(Coalescer, CallersThatWaitForTheirAnswersAreNotHeldBack) {
  for (size_t callers : {2u, 3u, 5u, 10u}) {
    Coalescer coalescer(30us);
    Seen seen = closed_loop(coalescer, callers, 20us, 2s);
    EXPECT_LT(seen.pauses, seen.turns / 50) << callers << " callers";
  }
}

TEST(Coalescer, CallsThatComeAnywayShareTurns) {
  Coalescer coalescer(30us);
  Seen seen = open_loop(coalescer, 20us, 200ms);
  EXPECT_GT(seen.pauses, seen.turns / 2);
  Coalescer never(0us);
  Seen without = open_loop(never, 20us, 200ms);
  EXPECT_EQ(without.pauses, 0u);
  EXPECT_EQ(seen.calls, without.calls);
  EXPECT_LT(4 * seen.turns, 3 * without.turns);
}

TEST(Coalescer, TrafficWithGapsIsLeftAlone) {
  Coalescer coalescer(30us);
  EXPECT_EQ(closed_loop(coalescer, 3, 700us, 1s).pauses, 0u);
}

TEST(Coalescer, FullTurnsAreLeftAlone) {
  Coalescer coalescer(30us);
  EXPECT_EQ(closed_loop(coalescer, 400, 5us, 1s).pauses, 0u);
}

TEST(Coalescer, ARefusalIsAskedAgainEverMoreSeldom) {
  Coalescer coalescer(30us);
  Time now{1s}, last_pause{};
  std::vector<Duration> waits;
  while (now < Time{60s}) {
    Duration pause = coalescer.after_turn(now, 1);
    if (pause > Duration::zero()) {
      if (last_pause != Time{} && now - last_pause > 100ms) waits.push_back(now - last_pause);
      last_pause = now;
    }
    now += 30us + pause;
  }
  ASSERT_GE(waits.size(), 4u);
  EXPECT_TRUE(std::is_sorted(waits.begin(), waits.end()));
  EXPECT_GE(waits.back(), 8s);
}

}  // namespace
}  // namespace duplex
