// Random histories, against a breaker that is written as plainly as its rules are told: it remembers every call and
// counts anew each time.
#include <gtest/gtest.h>

#include <random>

#include "duplex/resilience/breaker.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using State = CircuitBreaker::State;
using Verdict = CircuitBreaker::Verdict;

int64_t second_of(Time t) { return t.time_since_epoch() / 1s; }

class PlainBreaker {
 public:
  explicit PlainBreaker(const BreakerSettings& s) : settings_(s) {}

  std::optional<int> try_acquire(Time now) {
    end_half_open(now);
    if (state_ == State::kOpen && now > since_ + settings_.open_for) {
      change(State::kHalfOpen, now);
      probes_ = settings_.probes;
      under_way_ = 0;
    }
    if (state_ == State::kOpen) return std::nullopt;
    if (state_ == State::kHalfOpen) {
      if (under_way_ + std::ssize(calls_) == probes_) return std::nullopt;
      ++under_way_;
    }
    return generation_;
  }

  void record(int generation, Verdict verdict, Duration took, Time now) {
    if (generation != generation_) return;
    end_half_open(now);
    if (generation != generation_) return;
    if (state_ == State::kHalfOpen) --under_way_;
    if (verdict == Verdict::kUncounted) return;
    const int64_t latest = std::max(latest_second_, second_of(now));
    if (state_ == State::kClosed) latest_second_ = latest;
    calls_.push_back({verdict == Verdict::kFailed, took > settings_.slow_call, latest});
    const CallCounts seen = counts(now);
    if (state_ == State::kHalfOpen) {
      if (std::ssize(calls_) < probes_) return;
      return change(exceeds(seen) ? State::kOpen : State::kClosed, now);
    }
    const int64_t minimum =
        settings_.window.calls ? std::min(settings_.minimum, settings_.window.calls) : settings_.minimum;
    const bool rates = seen.calls >= minimum && exceeds(seen);
    if (rates || (settings_.consecutive && in_a_row() >= settings_.consecutive)) change(State::kOpen, now);
  }

  void set(const BreakerSettings& s) {
    if (settings_.window != s.window) {
      latest_second_ = 0;
      if (state_ == State::kClosed) {
        row_before_ = in_a_row();
        calls_.clear();
      }
    }
    settings_ = s;
  }

  State state(Time now) const {
    PlainBreaker later = *this;
    later.end_half_open(now);
    return later.state_;
  }

  // Closed or half-open.
  CallCounts counts(Time now) const {
    CallCounts n;
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (state_ == State::kClosed && settings_.window.calls &&
          i + static_cast<size_t>(settings_.window.calls) < calls_.size())
        continue;
      if (state_ == State::kClosed && !settings_.window.calls &&
          calls_[i].second <= std::max(latest_second_, second_of(now)) - settings_.window.time / 1s)
        continue;
      ++n.calls;
      n.failed += calls_[i].failed;
      n.slow += calls_[i].slow;
    }
    return n;
  }

 private:
  struct One {
    bool failed, slow;
    int64_t second;
  };
  void change(State state, Time now) {
    state_ = state;
    since_ = now;
    ++generation_;
    calls_.clear();
    row_before_ = 0;
  }
  void end_half_open(Time now) {
    if (state_ == State::kHalfOpen && settings_.half_open_for > 0s && now >= since_ + settings_.half_open_for)
      change(State::kOpen, since_ + settings_.half_open_for);
  }
  bool exceeds(const CallCounts& n) const {  // in percent, as whole numbers
    return n.failed * 100 >= std::lround(settings_.failure_rate * 100) * n.calls ||
           n.slow * 100 >= std::lround(settings_.slow_rate * 100) * n.calls;
  }
  int64_t in_a_row() const {
    int64_t row = 0;
    for (auto call = calls_.rbegin(); call != calls_.rend() && call->failed; ++call) ++row;
    return row == std::ssize(calls_) ? row + row_before_ : row;
  }

  BreakerSettings settings_;
  State state_ = State::kClosed;
  Time since_{};
  int generation_ = 0;
  std::vector<One> calls_;     // of this generation
  int64_t row_before_ = 0;     // failures in a row before those
  int64_t latest_second_ = 0;  // in which a call was counted, closed
  int64_t probes_ = 0, under_way_ = 0;
};

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t in(int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(engine_); }
  bool one_of(int64_t n) { return in(1, n) == 1; }

 private:
  std::mt19937_64 engine_;
};

BreakerSettings any_settings(Random& random) {
  BreakerSettings s;
  s.window = random.one_of(2) ? Window{random.in(1, 12), {}} : Window{0, random.in(1, 6) * 1s};
  s.failure_rate = static_cast<double>(random.in(1, 100)) / 100;
  s.slow_rate = static_cast<double>(random.in(1, 100)) / 100;
  s.slow_call = random.in(1, 100) * 1ms;
  s.minimum = random.in(1, 12);
  s.consecutive = random.one_of(2) ? 0 : random.in(1, 8);
  s.open_for = random.in(1, 5000) * 1ms;
  s.probes = random.in(1, 6);
  s.half_open_for = random.one_of(2) ? 0s : random.in(1, 5000) * 1ms;
  return s;
}

void one_history(uint64_t seed) {
  SCOPED_TRACE("history " + std::to_string(seed));
  Random random(seed);
  BreakerSettings settings = any_settings(random);
  CircuitBreaker ours(settings);
  PlainBreaker plain(settings);
  Time clock{random.in(0, 2'000'000) * 1ms};
  struct UnderWay {
    CircuitBreaker::Permit ours;
    int plain;
  };
  std::vector<UnderWay> under_way;
  uint64_t refused = 0;
  for (int step = 0; step < 150; ++step) {
    clock += random.one_of(20) ? random.in(0, 6000) * 1ms : random.in(0, 300) * 1ms;
    const Time now = random.one_of(10) ? clock - random.in(0, 1500) * 1ms : clock;  // a thread that is behind
    if (random.one_of(60)) {
      BreakerSettings other = any_settings(random);
      if (!random.one_of(3)) other.window = settings.window;
      settings = other;
      ours.set(settings);
      plain.set(settings);
    } else if (under_way.empty() || random.one_of(2)) {
      const CircuitBreaker::Admission admission = ours.try_acquire(now);
      const std::optional<int> expected = plain.try_acquire(now);
      ASSERT_EQ(admission.admitted, expected.has_value()) << "step " << step;
      if (expected) under_way.push_back({admission.permit, *expected});
      refused += !expected;
    } else {
      const size_t which = static_cast<size_t>(random.in(0, std::ssize(under_way) - 1));
      const int64_t chance = random.in(1, 10);
      const Verdict verdict = chance <= 5 ? Verdict::kFailed : chance <= 9 ? Verdict::kGood : Verdict::kUncounted;
      const Duration took = random.in(0, 120) * 1ms;
      ours.record(under_way[which].ours, verdict, took, now);
      plain.record(under_way[which].plain, verdict, took, now);
      under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(which));
    }
    const CircuitBreaker::Snapshot s = ours.snapshot(now);
    ASSERT_EQ(state_name(s.state), state_name(plain.state(now))) << "step " << step;
    if (s.state != State::kOpen) {
      ASSERT_EQ(s.counts, plain.counts(now)) << "step " << step;
    }
    ASSERT_EQ(s.refused, refused);
  }
}

TEST(CircuitBreakerProperty, RandomHistoriesGoAsThePlainRulesSay) {
  for (uint64_t seed = 1; seed <= 10000 && !testing::Test::HasFatalFailure(); ++seed) one_history(seed);
}

}  // namespace
}  // namespace duplex::resilience
