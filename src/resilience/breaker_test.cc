// The state machine on a clock of the test's own. The rules are those of Resilience4j's documentation,
// "CircuitBreaker".
#include "duplex/resilience/breaker.h"

#include <gtest/gtest.h>

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using State = CircuitBreaker::State;
using Verdict = CircuitBreaker::Verdict;
using Why = CircuitBreaker::Opening::Why;

// A breaker, and a clock that moves only when it is told to.
class Bed {
 public:
  explicit Bed(const BreakerSettings& settings) : breaker(settings) {}

  CircuitBreaker::Permit admit() {
    CircuitBreaker::Admission admission = breaker.try_acquire(now);
    EXPECT_TRUE(admission.admitted);
    return admission.permit;
  }
  bool refused() { return !breaker.try_acquire(now).admitted; }
  CircuitBreaker::Changes end(CircuitBreaker::Permit permit, Verdict verdict, Duration took = {}) {
    return breaker.record(permit, verdict, took, now);
  }
  void calls(int n, Verdict verdict, Duration took = {}) {
    for (int i = 0; i < n; ++i) end(admit(), verdict, took);
  }
  State state() { return snapshot().state; }
  CircuitBreaker::Snapshot snapshot() { return breaker.snapshot(now); }
  void open() {
    while (state() == State::kClosed) calls(1, Verdict::kFailed);
    ASSERT_EQ(state(), State::kOpen);
  }
  // Open, and long enough for probes.
  void due() {
    open();
    now += 1h;
  }

  Time now{1'000'000s};
  CircuitBreaker breaker;
};

BreakerSettings small() {  // opens at 5 of 10
  BreakerSettings s;
  s.window.calls = 10;
  s.minimum = 10;
  s.open_for = 5s;
  s.probes = 3;
  s.slow_call = 1s;
  return s;
}

TEST(CircuitBreaker, ItsDefaultsAreResilience4js) {
  BreakerSettings s;
  EXPECT_EQ(s.failure_rate, 0.5);
  EXPECT_EQ(s.slow_rate, 1.0);
  EXPECT_EQ(s.slow_call, 60s);
  EXPECT_EQ(s.window.calls, 100);
  EXPECT_EQ(s.minimum, 100);
  EXPECT_EQ(s.open_for, 60s);
  EXPECT_EQ(s.probes, 10);
  EXPECT_EQ(s.half_open_for, 0s);  // it waits for its probes
  EXPECT_EQ(s.consecutive, 0);
}

TEST(CircuitBreaker, NinetyNineFailuresOf99CallsLeaveItClosedAndTheHundredthOpensIt) {
  Bed bed{BreakerSettings()};
  bed.calls(99, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  EXPECT_FALSE(bed.snapshot().failure_rate);
  EXPECT_TRUE(bed.end(bed.admit(), Verdict::kFailed).opened);
  EXPECT_EQ(bed.state(), State::kOpen);
  EXPECT_EQ(bed.snapshot().failure_rate, 1.0);
  EXPECT_EQ(bed.snapshot().opening.text(), "100 of 100 calls failed");
}

TEST(CircuitBreaker, AShareThatIsReachedExactlyOpensIt) {
  Bed bed(small());
  bed.calls(5, Verdict::kGood);
  bed.calls(4, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);

  Bed below(small());
  below.calls(6, Verdict::kGood);
  below.calls(4, Verdict::kFailed);
  EXPECT_EQ(below.state(), State::kClosed);
}

TEST(CircuitBreaker, AShareThatNoBinaryNumberIsOpensItAtThatShare) {
  for (int percent = 1; percent <= 100; ++percent) {
    BreakerSettings s;
    s.failure_rate = percent / 100.0;
    Bed bed(s), below(s);
    bed.calls(100 - percent, Verdict::kGood);
    bed.calls(percent, Verdict::kFailed);
    EXPECT_EQ(bed.state(), State::kOpen) << percent;
    below.calls(100 - percent + 1, Verdict::kGood);
    below.calls(percent - 1, Verdict::kFailed);
    EXPECT_EQ(below.state(), State::kClosed) << percent;
  }
}

TEST(CircuitBreaker, SlowCallsOpenItWhetherTheyFailOrNot) {
  BreakerSettings s = small();
  s.slow_rate = 0.8;
  Bed bed(s);
  bed.calls(2, Verdict::kGood, 1s);  // as long as slow_call: not slow
  bed.calls(7, Verdict::kGood, 1s + 1ns);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.calls(1, Verdict::kGood, 2s);
  EXPECT_EQ(bed.state(), State::kOpen);
  EXPECT_EQ(bed.snapshot().opening.why, Why::kSlowRate);
  EXPECT_EQ(bed.snapshot().opening.text(), "8 of 10 calls took longer than 1s");
}

TEST(CircuitBreaker, AWindowOfCallsForgetsTheOldest) {
  Bed bed(small());
  bed.calls(4, Verdict::kFailed);
  bed.calls(10, Verdict::kGood);
  bed.calls(4, Verdict::kFailed);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 4, 0}));
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, AWindowFullOfGoodCallsStillSeesWhatIsNotGood) {
  BreakerSettings s = small();
  s.consecutive = 4;
  Bed bed(s);
  bed.calls(50, Verdict::kGood);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 0, 0}));
  bed.calls(1, Verdict::kGood, 2s);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 0, 1}));
  bed.calls(9, Verdict::kGood);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 0, 1}));
  bed.calls(1, Verdict::kGood);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 0, 0}));
  s.slow_call = 5ms;  // of new settings, at once
  bed.breaker.set(s);
  bed.calls(1, Verdict::kGood, 6ms);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 0, 1}));
  bed.calls(50, Verdict::kGood);
  bed.calls(3, Verdict::kFailed);
  EXPECT_EQ(bed.snapshot().in_a_row, 3u);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 3, 0}));
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, AWindowFullOfGoodCallsIsGivenUpForAnother) {
  Bed bed(small());
  bed.calls(50, Verdict::kGood);
  BreakerSettings s = small();
  s.window.calls = 20;
  bed.breaker.set(s);
  bed.calls(3, Verdict::kGood);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{3, 0, 0}));
}

TEST(CircuitBreaker, TheMinimumIsNeverMoreThanAWindowOfCallsHolds) {
  BreakerSettings s = small();
  s.minimum = 1000;
  Bed bed(s);
  bed.calls(9, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, AWindowOfTimeDropsWholeSeconds) {
  BreakerSettings s = small();
  s.window = {0, 3s};
  s.minimum = 4;
  Bed bed(s);
  bed.now = Time(100s + 900ms);
  bed.calls(3, Verdict::kFailed);
  bed.now = Time(102s + 999ms);  // the third second of the window
  EXPECT_EQ(bed.snapshot().counts.failed, 3u);
  bed.now = Time(103s);  // the first three have gone, as a whole
  EXPECT_EQ(bed.snapshot().counts.failed, 0u);
  bed.calls(3, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, AWindowOfTimeIsNotCappedByTheMinimum) {
  BreakerSettings s = small();
  s.window = {0, 2s};
  s.minimum = 50;
  Bed bed(s);
  bed.calls(49, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.now += 5s;
  bed.calls(49, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, AClockThatLagsNeitherReopensNorFreezesIt) {
  BreakerSettings s = small();
  s.window = {0, 3s};
  s.minimum = 4;
  Bed bed(s);
  bed.now = Time(100s);
  bed.calls(1, Verdict::kGood);
  bed.now = Time(98s);  // another thread's, which is behind: counts for second 100
  bed.calls(3, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
  EXPECT_TRUE(bed.refused());
  bed.now = Time(98s + 5s + 1ms);  // of the clock that it opened by
  EXPECT_FALSE(bed.refused());
  EXPECT_EQ(bed.state(), State::kHalfOpen);
  bed.now = Time(97s);
  EXPECT_EQ(bed.state(), State::kHalfOpen);
  EXPECT_FALSE(bed.refused());
  EXPECT_FALSE(bed.refused());
  EXPECT_TRUE(bed.refused());
}

TEST(CircuitBreaker, OpenItRefusesUntilOpenForHasPassed) {
  Bed bed(small());
  bed.open();
  const Time opened = bed.now;
  EXPECT_EQ(bed.snapshot().next_change, opened + 5s);
  EXPECT_EQ(bed.snapshot().since, opened);
  for (Duration passed : {Duration(0), Duration(1s), Duration(5s)}) {
    bed.now = opened + passed;
    EXPECT_TRUE(bed.refused());
  }
  EXPECT_EQ(bed.snapshot().refused, 3u);
  bed.now = opened + 5s + 1ns;
  EXPECT_EQ(bed.state(), State::kOpen);  // until somebody asks
  CircuitBreaker::Admission admission = bed.breaker.try_acquire(bed.now);
  EXPECT_TRUE(admission.admitted);
  EXPECT_TRUE(admission.changes.half_opened);
  EXPECT_EQ(bed.state(), State::kHalfOpen);
}

TEST(CircuitBreaker, HalfOpenItLetsSoManyThroughAndDecidesWhenAllHaveEnded) {
  Bed bed(small());
  bed.due();
  std::vector<CircuitBreaker::Permit> probes{bed.admit(), bed.admit(), bed.admit()};
  EXPECT_TRUE(bed.refused());
  bed.end(probes[0], Verdict::kGood);
  bed.end(probes[1], Verdict::kGood);
  EXPECT_EQ(bed.state(), State::kHalfOpen);
  EXPECT_TRUE(bed.refused());  // a probe that has ended makes no room
  EXPECT_TRUE(bed.end(probes[2], Verdict::kFailed).closed);
  EXPECT_EQ(bed.state(), State::kClosed);
  EXPECT_EQ(bed.snapshot().counts, CallCounts());  // it begins anew
}

TEST(CircuitBreaker, ProbesThatFailOpenItAgainForAsLong) {
  Bed bed(small());
  bed.due();
  std::vector<CircuitBreaker::Permit> probes{bed.admit(), bed.admit(), bed.admit()};
  bed.end(probes[2], Verdict::kFailed);
  bed.end(probes[1], Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kHalfOpen);  // though nothing can save it now
  EXPECT_TRUE(bed.end(probes[0], Verdict::kGood).opened);
  EXPECT_EQ(bed.snapshot().opening.text(), "2 of 3 calls failed");
  bed.now += 5s;
  EXPECT_TRUE(bed.refused());
  bed.now += 1ms;
  EXPECT_FALSE(bed.refused());
}

TEST(CircuitBreaker, SlowProbesOpenItAgain) {
  Bed bed(small());
  bed.due();
  bed.calls(3, Verdict::kGood, 2s);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, AProbeOfWhichNothingIsKnownMakesRoomForAnother) {
  Bed bed(small());
  bed.due();
  std::vector<CircuitBreaker::Permit> probes{bed.admit(), bed.admit(), bed.admit()};
  EXPECT_TRUE(bed.refused());
  bed.end(probes[0], Verdict::kUncounted);
  CircuitBreaker::Permit another = bed.admit();
  EXPECT_TRUE(bed.refused());
  bed.end(probes[1], Verdict::kGood);
  bed.end(probes[2], Verdict::kGood);
  EXPECT_EQ(bed.state(), State::kHalfOpen);
  bed.end(another, Verdict::kGood);
  EXPECT_EQ(bed.state(), State::kClosed);
}

TEST(CircuitBreaker, WhatIsNotCountedCountsNeitherWay) {
  BreakerSettings s = small();
  s.consecutive = 3;
  Bed bed(s);
  bed.calls(100, Verdict::kUncounted, 10s);
  EXPECT_EQ(bed.snapshot().counts, CallCounts());
  bed.calls(2, Verdict::kFailed);
  bed.calls(5, Verdict::kUncounted);  // no success that would end the row
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, ProbesThatDoNotEndInTimeOpenItAgain) {
  BreakerSettings s = small();
  s.half_open_for = 10s;
  Bed bed(s);
  bed.due();
  CircuitBreaker::Permit stuck = bed.admit();
  const Time half_open = bed.now;
  EXPECT_EQ(bed.snapshot().next_change, half_open + 10s);
  bed.now = half_open + 10s - 1ms;
  EXPECT_EQ(bed.state(), State::kHalfOpen);
  bed.now = half_open + 12s;
  EXPECT_EQ(bed.state(), State::kOpen);
  EXPECT_EQ(bed.snapshot().since, half_open + 10s);  // not when it was noticed
  EXPECT_EQ(bed.snapshot().opening.text(), "its probes did not end in time");
  CircuitBreaker::Admission admission = bed.breaker.try_acquire(bed.now);
  EXPECT_FALSE(admission.admitted);
  EXPECT_TRUE(admission.changes.opened);
  bed.now = half_open + 15s + 1ms;
  EXPECT_FALSE(bed.refused());
  bed.end(stuck, Verdict::kFailed);  // of a generation that is over
  EXPECT_EQ(bed.snapshot().counts, CallCounts());
  EXPECT_EQ(bed.snapshot().probes_left, 2u);
}

TEST(CircuitBreaker, AProbeThatEndsTooLateDecidesNothing) {
  BreakerSettings s = small();
  s.half_open_for = 10s;
  s.probes = 1;
  Bed bed(s);
  bed.due();
  CircuitBreaker::Permit probe = bed.admit();
  bed.now += 10s;
  EXPECT_TRUE(bed.end(probe, Verdict::kGood).opened);
  EXPECT_EQ(bed.state(), State::kOpen);
}

TEST(CircuitBreaker, ItMayCloseAgainAfterALongSilenceInOneStep) {
  BreakerSettings s = small();
  s.half_open_for = 10s;
  Bed bed(s);
  bed.due();
  bed.admit();
  bed.now += 1h;  // half-open for too long, and open for long enough since
  CircuitBreaker::Admission admission = bed.breaker.try_acquire(bed.now);
  EXPECT_TRUE(admission.admitted);
  EXPECT_TRUE(admission.changes.opened);
  EXPECT_TRUE(admission.changes.half_opened);
}

TEST(CircuitBreaker, ACallThatEndsInALaterGenerationCountsForNothing) {
  Bed bed(small());
  CircuitBreaker::Permit old = bed.admit(), older = bed.admit(), oldest = bed.admit();
  bed.open();
  bed.end(old, Verdict::kFailed);  // open
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{10, 10, 0}));
  bed.now += 1h;
  std::vector<CircuitBreaker::Permit> probes{bed.admit(), bed.admit(), bed.admit()};
  bed.end(older, Verdict::kFailed);  // half-open
  EXPECT_EQ(bed.snapshot().counts, CallCounts());
  bed.end(oldest, Verdict::kUncounted);  // gives no place back, since it has none
  EXPECT_TRUE(bed.refused());
  for (CircuitBreaker::Permit probe : probes) bed.end(probe, Verdict::kGood);
  EXPECT_EQ(bed.state(), State::kClosed);
  bed.end(probes[0], Verdict::kFailed);  // a probe that is said to have ended twice
  EXPECT_EQ(bed.snapshot().counts, CallCounts());
}

TEST(CircuitBreaker, FailuresInARowOpenItWhateverTheRates) {
  BreakerSettings s;
  s.consecutive = 5;
  Bed bed(s);
  bed.calls(4, Verdict::kFailed);
  bed.calls(1, Verdict::kGood);
  bed.calls(4, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kClosed);
  EXPECT_EQ(bed.snapshot().in_a_row, 4u);
  bed.calls(1, Verdict::kFailed);
  EXPECT_EQ(bed.state(), State::kOpen);
  EXPECT_EQ(bed.snapshot().opening.text(), "5 failures in a row");
}

TEST(CircuitBreaker, NewSettingsLeaveWhatItKnowsButForAnotherWindow) {
  Bed bed(small());
  bed.calls(4, Verdict::kFailed);
  BreakerSettings s = small();
  s.failure_rate = 0.4;
  s.minimum = 5;
  bed.breaker.set(s);
  EXPECT_EQ(bed.snapshot().counts, (CallCounts{4, 4, 0}));
  s.window.calls = 20;
  bed.breaker.set(s);
  EXPECT_EQ(bed.snapshot().counts, CallCounts());
  bed.open();
  s.window.calls = 30;
  s.open_for = 1s;  // counts from when it opened
  bed.breaker.set(s);
  EXPECT_EQ(bed.state(), State::kOpen);
  bed.now += 1s + 1ms;
  EXPECT_FALSE(bed.refused());
  s.probes = 1;  // those under way decide as they were let through
  bed.breaker.set(s);
  EXPECT_FALSE(bed.refused());
  EXPECT_FALSE(bed.refused());
  EXPECT_TRUE(bed.refused());
}

Result<BreakerSettings> read(const std::string& text) {
  Result<config::Value> value = config::parse_yaml(text, "d.yaml");
  if (!value) return value.error();
  return breaker_table().read(*value);
}

TEST(BreakerSettings, AreReadByTheNamesOfTheConfiguration) {
  Result<BreakerSettings> s = read(
      "{window: 30s, failure_rate: 40%, slow_call: 1s, slow_rate: 0.8, minimum: 20, consecutive: 5, open_for: 5s, "
      "probes: 3, half_open_for: 30s, failures: [UNAVAILABLE, 502]}");
  ASSERT_TRUE(s) << s.error().to_string();
  EXPECT_EQ(s->window, (Window{0, 30s}));
  EXPECT_EQ(s->failure_rate, 0.4);
  EXPECT_EQ(s->slow_call, 1s);
  EXPECT_EQ(s->slow_rate, 0.8);
  EXPECT_EQ(s->minimum, 20);
  EXPECT_EQ(s->consecutive, 5);
  EXPECT_EQ(s->open_for, 5s);
  EXPECT_EQ(s->probes, 3);
  EXPECT_EQ(s->half_open_for, 30s);
  EXPECT_EQ(s->failures, (std::vector<Cause>{Cause::of(Code::kUnavailable), Cause::http(502)}));
}

TEST(BreakerSettings, AThresholdThatNothingReachesIsRefused) {
  for (const char* name : {"failure_rate", "slow_rate"}) {
    Result<BreakerSettings> s = read(std::string("{") + name + ": 0%}");
    ASSERT_FALSE(s);
    EXPECT_NE(s.error().message().find("write a share above 0"), std::string::npos) << s.error().message();
  }
}

TEST(BreakerSettings, AWindowOfPartsOfASecondIsRefused) {
  Result<BreakerSettings> s = read("{window: 1500ms}");
  ASSERT_FALSE(s);
  EXPECT_NE(s.error().message().find("whole seconds"), std::string::npos) << s.error().message();
}

}  // namespace
}  // namespace duplex::resilience
