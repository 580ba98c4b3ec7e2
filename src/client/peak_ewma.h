// PeakEwma: how long an endpoint's answers take: an average that forgets exponentially, and jumps to a peak at once.
// It is Finagle's measure of load: it backs off from an endpoint at its first slow answer and comes back carefully.
#pragma once

#include <algorithm>
#include <cmath>

#include "duplex/base/time.h"

namespace duplex::client {

class PeakEwma {
 public:
  static constexpr Duration kDecay = std::chrono::seconds(10);  // what is this old weighs 1/e
  static constexpr Duration kFailed = std::chrono::seconds(1);  // the cost of one that has only failed so far

  void observe(Duration latency, Time now) {
    const double seen = static_cast<double>(latency.count());
    if (seen >= cost_) {
      cost_ = seen;
    } else {
      const double old = kept(now);
      cost_ = cost_ * old + seen * (1 - old);
    }
    stamp_ = now;
    known_ = true;
  }
  // It was broken off after so long: it would have taken longer.
  void observe_at_least(Duration latency, Time now) {
    if (static_cast<double>(latency.count()) > cost(now)) observe(latency, now);
  }
  // One that fails at once is not fast: its cost does not sink by that.
  void observe_failure(Duration latency, Time now) {
    const double before = known_ ? cost(now) : static_cast<double>(kFailed.count());
    cost_ = std::max(static_cast<double>(latency.count()), before);
    stamp_ = now;
    known_ = true;
  }
  // Nanoseconds; sinks while nothing is observed, so that an endpoint that was slow is tried again.
  double cost(Time now) const { return cost_ * kept(now); }
  bool known() const { return known_; }
  void forget() { *this = PeakEwma(); }

 private:
  double kept(Time now) const {
    if (now <= stamp_) return 1;
    return std::exp(-static_cast<double>((now - stamp_).count()) / static_cast<double>(kDecay.count()));
  }
  double cost_ = 0;
  Time stamp_{};
  bool known_ = false;
};

}  // namespace duplex::client
