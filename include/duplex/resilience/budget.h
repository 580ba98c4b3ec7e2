// Budget: how much of a peer's traffic may be further attempts, so that a peer that fails is not asked several times as
// much as one that works. One a peer, shared by its methods, by retries and hedges, and by all loops.
#pragma once

#include <array>
#include <atomic>

#include "duplex/config/table.h"

namespace duplex::resilience {

// What an attempt has told about the peer.
enum class Told : uint8_t {
  kWorks,  // it was OK
  kFails,  // it failed in a way that is tried again, or the peer said that it wants no other attempt
};

// From any thread.
class Budget {
 public:
  virtual ~Budget() = default;
  virtual void count_call(Time now) = 0;  // a first attempt is made
  virtual bool take(Time now) = 0;        // before any other; false: it must not be made
  virtual void record(Told) {}
};

struct BudgetSettings {
  double ratio = 0.2;  // retries a call
  double floor = 10;   // retries a second that are allowed however few calls there are
};
config::Table<BudgetSettings> budget_table();

// In any ten seconds there are at most max(ratio x calls, floor x 10 s) retries (as in Envoy and Finagle): what a quiet
// hour leaves over is not there for a storm. Counted in quarters of a second, always so that the promise holds.
class RetryBudget final : public Budget {
 public:
  explicit RetryBudget(const BudgetSettings& settings) { set(settings); }
  // After a reload: what was counted stays.
  void set(const BudgetSettings& settings);
  void count_call(Time now) override;
  bool take(Time now) override;
  double left(Time now) const;  // retries that could be made now

 private:
  // Ten seconds, and one more for the retries: a window that ends within a slot begins within another.
  static constexpr uint32_t kWindow = 40;
  static constexpr Duration kSlot = std::chrono::milliseconds(250);
  // A slot: when it was, and how many in it; in one word, so that no count is lost at the turn of a slot.
  using Slots = std::array<std::atomic<uint64_t>, kWindow + 1>;
  static uint32_t slot_of(Time now);
  static void add(Slots& slots, uint32_t at, int32_t n);
  static double sum(const Slots& slots, uint32_t at, uint32_t count);
  double allowed(uint32_t at) const;

  Slots calls_{}, retries_{};
  std::atomic<double> ratio_, floor_;
};

struct ThrottleSettings {
  double max_tokens = 10;  // above 0, at most 1000
  double ratio = 0.1;      // tokens that a success gives back
  friend bool operator==(const ThrottleSettings&, const ThrottleSettings&) = default;
};

// gRPC's own (gRFC A6, "Throttling Retry Attempts and Hedged RPCs"): it begins with all tokens; a failure takes one, a
// success gives `ratio` of one back, and while half of them or fewer are left no further attempt is made.
class RetryThrottle final : public Budget {
 public:
  explicit RetryThrottle(const ThrottleSettings& settings);
  void count_call(Time) override {}
  bool take(Time) override;
  void record(Told told) override;
  double tokens() const;

 private:
  const int64_t most_, back_;  // in thousandths, as gRPC counts
  std::atomic<int64_t> tokens_;
};

}  // namespace duplex::resilience
