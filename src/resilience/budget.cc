#include "duplex/resilience/budget.h"

#include <algorithm>

namespace duplex::resilience {
namespace {
int64_t second_of(Time now) { return now.time_since_epoch() / std::chrono::seconds(1); }
}  // namespace

void RetryBudget::set(const BudgetSettings& settings) {
  ratio_ = settings.ratio;
  floor_ = settings.floor;
}

RetryBudget::Second& RetryBudget::second(Time now) {
  const int64_t at = second_of(now);
  Second& second = seconds_[static_cast<size_t>(at) % kSeconds];
  int64_t there = second.at.load(std::memory_order_acquire);
  // Loops that meet at the turn of a second may lose a count or two; none waits.
  if (there < at && second.at.compare_exchange_strong(there, at, std::memory_order_acq_rel)) {
    second.calls.store(0, std::memory_order_relaxed);
    second.retries.store(0, std::memory_order_relaxed);
  }
  return second;
}

void RetryBudget::count_call(Time now) { second(now).calls.fetch_add(1, std::memory_order_relaxed); }

double RetryBudget::left(Time now) const {
  const int64_t oldest = second_of(now) - static_cast<int64_t>(kSeconds);
  double calls = 0, retries = 0;
  for (const Second& second : seconds_) {
    if (second.at.load(std::memory_order_acquire) <= oldest) continue;
    calls += second.calls.load(std::memory_order_relaxed);
    retries += second.retries.load(std::memory_order_relaxed);
  }
  const double allowed = std::max(ratio_.load(std::memory_order_relaxed) * calls,
                                  floor_.load(std::memory_order_relaxed) * static_cast<double>(kSeconds));
  return std::max(allowed - retries, 0.0);
}

bool RetryBudget::take(Time now) {
  if (left(now) < 1) return false;
  second(now).retries.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace duplex::resilience
