#include "runtime/coalescer.h"

#include <algorithm>

namespace duplex {

void Coalescer::begin(Phase phase, Time now) {
  phase_ = phase;
  window_ = Window{now, 0, 0};
}

// The window with the pause is over.
void Coalescer::judge(Time now) {
  bool good = window_.rate(now) >= kLeastRate * rate_without_ && window_.fill() >= kLeastGain * fill_without_;
  if (good) {
    refusal_ = kFirstRefusal;
    until_ = after(now, kHold);
  } else {
    until_ = after(now, refusal_);
    refusal_ = std::min(2 * refusal_, kLongestRefusal);
  }
  begin(good ? Phase::kOn : Phase::kOff, now);
}

Duration Coalescer::after_turn(Time now, size_t calls) {
  if (pause_ <= Duration::zero() || calls == 0) return Duration::zero();
  const bool quiet = now - last_ > kQuiet;
  last_ = now;
  if (quiet) {  // a window with a hole in it tells nothing
    if (phase_ == Phase::kWith) begin(Phase::kWithout, now);
    window_ = Window{now, 0, 0};
    return Duration::zero();
  }
  window_.calls += calls;
  ++window_.turns;
  switch (phase_) {
    case Phase::kWithout:
      if (!measured(now)) return Duration::zero();
      rate_without_ = window_.rate(now);
      fill_without_ = window_.fill();
      begin(fill_without_ < static_cast<double>(kFull) ? Phase::kWith : Phase::kWithout, now);
      break;
    case Phase::kWith:
      if (measured(now) || hopeless(now)) judge(now);
      break;
    case Phase::kOn:
    case Phase::kOff:
      if (now >= until_) begin(Phase::kWithout, now);
      break;
  }
  const bool pausing = phase_ == Phase::kWith || phase_ == Phase::kOn;
  return pausing && calls < kFull ? pause_ : Duration::zero();
}

}  // namespace duplex
