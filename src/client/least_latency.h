// LeastLatency: of two at random the one whose answer costs less time: the peak EWMA of its latency times the calls
// that would be in flight (Finagle's and linkerd's rule). It sees a slow endpoint by its latency, not only by its
// queue.
#pragma once

#include "client/two_choices.h"

namespace duplex::client {

class LeastLatency final : public TwoChoices {
 public:
  using TwoChoices::TwoChoices;

 private:
  bool less(const Target& a, const Target& b, Time now) const override { return load(a, now) < load(b, now); }
  // One that has not answered yet gets one call, and the next only when the others have as much to do.
  static double load(const Target& target, Time now) {
    constexpr double kUnknown = 1e15;
    if (!target.latency.known()) return target.calls ? kUnknown + static_cast<double>(target.calls) : 0;
    return target.latency.cost(now) * (static_cast<double>(target.calls) / target.weight + 1);
  }
};

}  // namespace duplex::client
