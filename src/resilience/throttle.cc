#include <algorithm>

#include "duplex/resilience/budget.h"

namespace duplex::resilience {

RetryThrottle::RetryThrottle(const ThrottleSettings& settings)
    : most_(static_cast<int64_t>(settings.max_tokens * 1000)),
      back_(static_cast<int64_t>(settings.ratio * 1000)),
      tokens_(most_) {}

bool RetryThrottle::take(Time) { return tokens_.load(std::memory_order_relaxed) > most_ / 2; }

void RetryThrottle::record(Told told) {
  int64_t old = tokens_.load(std::memory_order_relaxed), next;
  do {
    next = told == Told::kWorks ? std::min(old + back_, most_) : std::max<int64_t>(old - 1000, 0);
    if (next == old) return;
  } while (!tokens_.compare_exchange_weak(old, next, std::memory_order_relaxed));
}

double RetryThrottle::tokens() const { return static_cast<double>(tokens_.load(std::memory_order_relaxed)) / 1000; }

}  // namespace duplex::resilience
