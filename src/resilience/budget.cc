#include "duplex/resilience/budget.h"

#include <algorithm>

namespace duplex::resilience {
namespace {

uint64_t packed(uint32_t at, uint32_t count) { return uint64_t{at} << 32 | count; }
uint32_t at_of(uint64_t slot) { return static_cast<uint32_t>(slot >> 32); }
uint32_t count_of(uint64_t slot) { return static_cast<uint32_t>(slot); }

}  // namespace

void RetryBudget::set(const BudgetSettings& settings) {
  ratio_ = settings.ratio;
  floor_ = settings.floor;
}

// Never 0, which is what an unused slot says.
uint32_t RetryBudget::slot_of(Time now) { return static_cast<uint32_t>(now.time_since_epoch() / kSlot) + kWindow + 1; }

void RetryBudget::add(Slots& slots, uint32_t at, int32_t n) {
  std::atomic<uint64_t>& slot = slots[at % slots.size()];
  uint64_t old = slot.load(std::memory_order_relaxed), next;
  do {
    if (at_of(old) > at) return;  // another loop's clock is ahead by a whole window
    const uint32_t before = at_of(old) == at ? count_of(old) : 0;
    next = packed(at, n < 0 && before == 0 ? 0 : before + static_cast<uint32_t>(n));
  } while (!slot.compare_exchange_weak(old, next, std::memory_order_acq_rel));
}

// Of the last `count` slots.
double RetryBudget::sum(const Slots& slots, uint32_t at, uint32_t count) {
  double total = 0;
  for (const auto& slot : slots) {
    const uint64_t seen = slot.load(std::memory_order_acquire);
    if (at_of(seen) + count > at) total += count_of(seen);
  }
  return total;
}

double RetryBudget::allowed(uint32_t at) const {
  const double window = static_cast<double>(kWindow) * std::chrono::duration<double>(kSlot).count();
  return std::max(ratio_.load(std::memory_order_relaxed) * sum(calls_, at, kWindow),
                  floor_.load(std::memory_order_relaxed) * window);
}

void RetryBudget::count_call(Time now) { add(calls_, slot_of(now), 1); }

double RetryBudget::left(Time now) const {
  const uint32_t at = slot_of(now);
  return std::max(allowed(at) - sum(retries_, at, kWindow + 1), 0.0);
}

bool RetryBudget::take(Time now) {
  const uint32_t at = slot_of(now);
  // Counted first: of those who ask at once, too few are let through rather than too many.
  add(retries_, at, 1);
  if (sum(retries_, at, kWindow + 1) <= allowed(at)) return true;
  add(retries_, at, -1);
  return false;
}

}  // namespace duplex::resilience
