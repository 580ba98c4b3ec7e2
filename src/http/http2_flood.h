// What a peer may ask of us for nothing: frames that cost it little and us work. A budget a connection that fills up
// again with time, and with frames that do something.
//
// Against the floods of CVE-2019-9512, 9514, 9515 and 9518, rapid reset (CVE-2023-44487), and resets that a peer makes
// us send (CVE-2025-8671).
#pragma once

#include <algorithm>

#include "duplex/base/time.h"

namespace duplex::http {

class FloodGuard {
 public:
  // At most `most` at once, and `per_second` over time.
  FloodGuard(double most, double per_second, Time now)
      : most_(most), per_second_(per_second), left_(most), since_(now) {}

  // False: too many.
  bool spend(Time now) {
    if (left_ < 1) refill(now);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }
  // Something useful came.
  void earn() { left_ = std::min(most_, left_ + 1); }

 private:
  void refill(Time now) {
    left_ = std::min(most_, left_ + per_second_ * std::chrono::duration<double>(now - since_).count());
    since_ = now;
  }
  const double most_, per_second_;
  double left_;
  Time since_;
};

}  // namespace duplex::http
