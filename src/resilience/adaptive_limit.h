// AdaptiveLimit: how many calls at once are as many as a server can serve without making them wait for one another.
//
// Little's law: what is under way is throughput times latency. Up to the server's capacity more calls at once mean more
// throughput; past it they mean only more latency. So the latency of now is compared with the usual one, that of times
// when few are under way, and the limit follows their ratio. Latency is taken from that law too, as what was under way
// on the average over how many ended: a mean of those that ended would not see those that are kept waiting. This is the
// gradient of Netflix's concurrency-limits (Gradient2Limit): limit = limit x gradient + room for a short queue,
// smoothed; gradient = tolerance x usual / now, between 0.5 and 1. It differs in where the usual latency comes from.
// There it is a long average, which in a long overload becomes that of the overload, and the limit follows it upward.
// Here it follows what is measured
//  - while less than half of the limit is in use: no queue of ours can be its cause;
//  - downward, while the limit binds;
//  - with half of the limit, for two windows (as Envoy's adaptive concurrency does with three calls): when the limit
//  has
//    fallen for long, and every five seconds of overload, since what was seen first may have been an overload already.
//    If calls are no faster then, no queue of ours slows them, and this is usual from now on.
#pragma once

#include "duplex/resilience/admission.h"

namespace duplex::resilience {

class AdaptiveLimit {
 public:
  // What was seen in a while.
  struct Window {
    Duration length{};
    Duration mean{};      // how long a call was under way, by Little's law
    int64_t calls = 0;    // that ended
    int64_t telling = 0;  // those of them that failed neither at once nor because their caller left
    int64_t peak = 0;     // the most that were under way at once
    bool shed = false;    // calls were refused
  };

  explicit AdaptiveLimit(const AdaptiveSettings& settings);
  void set(const AdaptiveSettings& settings);

  void close(const Window& window);

  // The limit for the next window.
  int64_t limit() const;
  Duration usual() const { return Duration(static_cast<int64_t>(usual_)); }

 private:
  void follow(double now, bool bound);
  void adjust(double now, bool shed);

  enum class Phase : uint8_t { kSteady, kDraining, kMeasuring };
  AdaptiveSettings settings_;
  double limit_;
  double usual_ = 0;  // ns; 0: nothing was seen yet
  int fallen_ = 0;    // windows in a row with the lowest gradient
  Phase phase_ = Phase::kSteady;
  double before_ = 0;  // ns; the latency when the limit was halved
  Duration bound_for_{};
};

}  // namespace duplex::resilience
