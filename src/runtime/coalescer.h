// Coalescer: how long a loop waits between two turns so that what arrives meanwhile shares one turn, as network cards
// do with interrupts. A turn costs its system calls whether it serves one call or twenty.
//
// It pays only where other work fills the pause: callers that wait for each answer before they ask again send less
// when answers are late. Nothing here can know which kind they are, so it is tried: the rate of calls is counted for
// some milliseconds without the pause and with it, and the pause stays only while it costs no rate and turns become
// fuller. One caller at a time, or several in lockstep, are found out at once, and asked again ever more seldom.
#pragma once

#include "duplex/base/time.h"

namespace duplex {

class Coalescer {
 public:
  // `pause` 0: never.
  explicit Coalescer(Duration pause) : pause_(pause) {}

  // A turn that began at `now` has served so many calls. How long to wait before the next one; mostly 0.
  Duration after_turn(Time now, size_t calls);

  // A measurement takes so long and so many calls, that chance does not decide it; but no longer than kLongestWindow.
  static constexpr Duration kWindow = std::chrono::milliseconds(4), kLongestWindow = std::chrono::milliseconds(40);
  static constexpr size_t kCalls = 400;
  static constexpr Duration kQuiet = std::chrono::microseconds(500);  // no call for so long: no traffic to gather
  static constexpr Duration kHold = std::chrono::seconds(1);          // that a pause found good stays unasked
  static constexpr Duration kFirstRefusal = std::chrono::milliseconds(500);  // and one found bad; doubles up to
  static constexpr Duration kLongestRefusal = std::chrono::seconds(16);
  static constexpr size_t kFull = 16;  // calls: such a turn gains little from more
  static constexpr double kLeastRate = 0.88, kLeastGain = 1.2;

 private:
  enum class Phase : uint8_t { kWithout, kWith, kOn, kOff };
  struct Window {
    Time start{};
    size_t calls = 0, turns = 0;
    double rate(Time end) const { return static_cast<double>(calls) / static_cast<double>((end - start).count()); }
    double fill() const { return static_cast<double>(calls) / static_cast<double>(turns ? turns : 1); }
  };
  bool measured(Time now) const {
    const Duration so_far = now - window_.start;
    return (so_far >= kWindow && window_.calls >= kCalls) || so_far >= kLongestWindow;
  }
  // What needs no whole window: turns do not become fuller at all, or calls become far fewer.
  bool hopeless(Time now) const {
    return window_.turns >= 32 && (window_.fill() < 1.05 * fill_without_ || window_.rate(now) < 0.6 * rate_without_);
  }
  void begin(Phase phase, Time now);
  void judge(Time now);

  const Duration pause_;
  Phase phase_ = Phase::kWithout;
  Window window_;
  double rate_without_ = 0, fill_without_ = 0;
  Duration refusal_ = kFirstRefusal;
  Time last_{}, until_{};
};

}  // namespace duplex
