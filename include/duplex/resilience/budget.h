// RetryBudget: how much of a peer's traffic may be retries, so that a peer that fails is not asked several times as
// much as one that works. One a peer, shared by its methods, by retries and hedges, and by all loops.
#pragma once

#include <array>
#include <atomic>

#include "duplex/config/table.h"

namespace duplex::resilience {

struct BudgetSettings {
  double ratio = 0.2;  // retries a call
  double floor = 10;   // retries a second that are allowed however few calls there are
};
config::Table<BudgetSettings> budget_table();

// Over the last ten seconds there may have been max(ratio x calls, floor x 10 s) retries, and no more (as in Envoy and
// Finagle): what a quiet hour leaves over is not there for a storm. From any thread.
class RetryBudget {
 public:
  explicit RetryBudget(const BudgetSettings& settings) { set(settings); }
  // After a reload: what was counted stays.
  void set(const BudgetSettings& settings);
  void count_call(Time now);    // a first attempt is made
  bool take(Time now);          // false: no retry
  double left(Time now) const;  // retries that could be made now

 private:
  static constexpr size_t kSeconds = 10;
  struct Second {
    std::atomic<int64_t> at{-1};  // which second of Time it counts
    std::atomic<uint32_t> calls{0}, retries{0};
  };
  Second& second(Time now);
  std::array<Second, kSeconds> seconds_;
  std::atomic<double> ratio_, floor_;
};

}  // namespace duplex::resilience
