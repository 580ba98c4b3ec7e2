// CircuitBreaker: stops asking a peer that fails, and finds out carefully whether it works again. The words and the
// rules are Resilience4j's.
//
// Closed, it lets every call through and counts how each ended. When the share of failures or of slow calls in its
// window reaches its threshold it opens: calls are refused at once, with no I/O. After a while it is half-open: so many
// calls are let through as probes, and when all of them have ended they decide whether it closes or opens again.
//
// Three parts: CircuitBreaker is the state machine alone; Breakers has one for each method of a peer and outlives the
// chains that use it; breaker() is the filter.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/metrics.h"
#include "duplex/base/spin_lock.h"
#include "duplex/config/table.h"
#include "duplex/resilience/call_window.h"
#include "duplex/resilience/cause.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct BreakerSettings {
  Window window;
  double failure_rate = 0.5;                      // opens at this share of failures
  Duration slow_call = std::chrono::seconds(60);  // a unary call that takes longer is slow
  double slow_rate = 1.0;                         // opens at this share of slow calls
  int64_t minimum = 100;                          // calls in the window before any rate counts
  int64_t consecutive = 0;                        // failures in a row that open it, whatever the rates; 0: off
  Duration open_for = std::chrono::seconds(60);   // how long it stays open before it tries
  int64_t probes = 10;                            // calls let through half-open; it decides when all have ended
  Duration half_open_for{};                       // half-open for so long: open again; 0: no limit
  // What counts as a failure of the peer. INVALID_ARGUMENT, NOT_FOUND, other 4xx and a caller's own cancel never do.
  std::vector<Cause> failures{Cause::of(Code::kUnavailable), Cause::of(Code::kDeadlineExceeded),
                              Cause::of(Code::kInternal), Cause::of(Code::kUnknown), Cause::of(Code::kDataLoss)};
};
config::Table<BreakerSettings> breaker_table();

// The state machine. From any thread; `now` is the caller's monotonic clock and may lag behind another thread's.
//
//   CircuitBreaker::Admission admission = breaker.try_acquire(now);
//   if (!admission.admitted) return refused;
//   ... the call ...
//   breaker.record(admission.permit, CircuitBreaker::Verdict::kFailed, took, now);   // once for each permit
//
// Time moves it only when it is asked: an open breaker becomes half-open at the first try_acquire() after open_for.
class CircuitBreaker {
 public:
  enum class State : uint8_t { kClosed, kOpen, kHalfOpen };
  enum class Verdict : uint8_t {
    kGood,
    kFailed,
    kUncounted,  // nothing is known of the peer (cancelled, never made): a probe's place is free again
  };
  // Says in which generation (time between two changes of state) a call was let through: one that ends in a later
  // generation counts for nothing, since it tells of a time that is over.
  struct Permit {
    constexpr explicit Permit(uint64_t g = 0) : generation(g) {}
    uint64_t generation;
  };
  // The changes of state that one call of a member brought, in this order. Whoever is told of one reports it.
  struct Changes {
    bool opened : 1 = false, half_opened : 1 = false, closed : 1 = false;
    explicit operator bool() const { return opened || half_opened || closed; }
  };
  struct Admission {
    bool admitted = false;
    Changes changes;
    Permit permit;
  };
  // Why it opened last.
  struct Opening {
    enum class Why : uint8_t { kNever, kFailureRate, kSlowRate, kConsecutive, kProbesLate };
    Why why = Why::kNever;
    CallCounts counts;         // of the window, or of the probes; kConsecutive: failures in a row
    Duration slow_call{};      // what was slow then
    std::string text() const;  // "12 of 20 calls failed"
  };
  struct Snapshot {
    State state = State::kClosed;
    Time since{};       // of the state; Time{} for a breaker that never changed
    CallCounts counts;  // closed: of the window; half-open: of the probes; open: what it opened by
    // Shares of counts; none while there are fewer calls than decide.
    std::optional<double> failure_rate, slow_rate;
    uint32_t in_a_row = 0;     // failures up to now, closed
    uint32_t probes_left = 0;  // half-open: probes that may still be let through
    uint64_t refused = 0;      // calls, since it was made
    Opening opening;
    // Open: when a call will be let through. Half-open with half_open_for: when it will be open again. Else none.
    std::optional<Time> next_change;
  };

  explicit CircuitBreaker(const BreakerSettings& settings);
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // May a call be made now? Closed: one atomic load.
  Admission try_acquire(Time now) {
    const uint64_t word = word_.load(std::memory_order_acquire);
    if (state_of(word) == State::kClosed) [[likely]]
      return {true, {}, Permit(word)};
    return try_acquire_not_closed(now);
  }
  // The call is over, after `took`. While a window of calls has `minimum` of them and the breaker stays closed, one
  // more good call cannot open it: each thread counts its own, with no locked instruction, and they go into the window
  // before the next call that can. While the window is full of good ones, one more changes nothing and is not even
  // counted.
  Changes record(Permit permit, Verdict verdict, Duration took, Time now) {
    if (verdict == Verdict::kGood && took.count() <= slow_call_.load(std::memory_order_relaxed)) [[likely]] {
      const uint64_t counted = counted_apart_.load(std::memory_order_acquire);
      if ((counted & ~kAllGood) == permit.generation) {
        if (!(counted & kAllGood)) good_calls_.add();
        return {};
      }
    }
    return record_locked(permit, verdict, took, now);
  }
  // After a reload. What it knows stays, but for the counts of a window that is another now; probes that are under way
  // decide as they were let through.
  void set(const BreakerSettings& settings);

  Snapshot snapshot(Time now);

 private:
  struct Rules {  // of the settings, what the state machine needs
    explicit Rules(const BreakerSettings& settings);
    // A share that is reached exactly counts, whatever the rounding: 0.07 x 100 is 7.000000000000001.
    static bool reached(uint32_t part, double share, uint32_t calls) { return part + 1e-6 >= share * calls; }
    Opening::Why exceeded(const CallCounts& counts) const {
      if (reached(counts.failed, failure_rate, counts.calls)) return Opening::Why::kFailureRate;
      if (reached(counts.slow, slow_rate, counts.calls)) return Opening::Why::kSlowRate;
      return Opening::Why::kNever;
    }
    Window window;
    double failure_rate, slow_rate;
    uint32_t minimum, consecutive, probes;
    Duration slow_call, open_for, half_open_for;
  };
  // The word: what a permit is compared with. Each change of state makes a new one.
  static State state_of(uint64_t word) { return static_cast<State>(word & 3); }
  State state() const { return state_of(word_.load(std::memory_order_relaxed)); }
  void enter(State state, Time now);
  void open(Opening::Why why, const CallCounts& counts, Time now);
  bool late(Time now) const;
  Admission try_acquire_not_closed(Time now);
  Changes record_locked(Permit permit, Verdict verdict, Duration took, Time now);
  Changes record_closed(bool failed, Duration took, Time now);
  Changes record_probe(Verdict verdict, Duration took, Time now);

  void take_good_calls();
  void count_good_calls_apart();

  static constexpr uint64_t kAllGood = 1;             // beside the word of a closed breaker, which ends with zeros
  static constexpr uint64_t kNothing = ~uint64_t{0};  // no such word

  std::atomic<uint64_t> word_{0};                  // written under lock_
  std::atomic<uint64_t> counted_apart_{kNothing};  // the word whose good calls good_calls_ counts; under lock_
  std::atomic<int64_t> slow_call_;                 // of rules_, in ns
  Counter good_calls_;
  // In another cache line than what every call reads; guards what follows.
  alignas(64) SpinLock lock_;
  uint64_t good_calls_taken_ = 0;  // of good_calls_: those that the window knows, or that were before it
  Rules rules_;
  CallWindow window_;
  uint32_t in_a_row_ = 0;
  uint32_t probes_ = 0, free_probes_ = 0;  // half-open: how many there are in all, and that may still begin
  CallCounts probed_;
  Time since_{};
  uint64_t refused_ = 0;
  Opening opening_;
};

// "closed", "open", "half_open".
std::string_view state_name(CircuitBreaker::State state);

// The breakers of one peer, one a method of the contract (never a URL), shared by all loops. It outlives the chains: a
// reload makes new filters over the same Breakers, and they go on where they were.
class Breakers {
 public:
  // So many methods have one of their own; further ones share one, named kOthers.
  static constexpr size_t kMost = 10'000;
  static constexpr std::string_view kOthers = "(other methods)";

  Breakers();
  ~Breakers();
  Breakers(const Breakers&) = delete;
  Breakers& operator=(const Breakers&) = delete;

  // Settings as a chain brings them. Those brought last are in force, from the first call that comes with them.
  struct Brought {
    BreakerSettings settings;
    uint64_t number = 0;
  };
  Brought bring(BreakerSettings settings);
  // The method's breaker; made at its first call, at the same address from then on.
  CircuitBreaker& of(std::string_view method, const Brought& brought);

  struct OfMethod {
    std::string method;
    CircuitBreaker::Snapshot breaker;
  };
  // By method; of those that had a call.
  std::vector<OfMethod> snapshot(Time now) const;

 private:
  struct Entry;
  static constexpr size_t kHeads = 256;
  Entry* find(std::string_view method, size_t head) const;
  Entry& make(std::string_view method, size_t head, const Brought& brought);

  std::array<std::atomic<Entry*>, kHeads> heads_{};  // lists that only grow, so that a look-up takes no lock
  std::atomic<uint64_t> brought_{0};
  mutable std::mutex mutex_;  // guards making entries and their settings
  std::vector<std::unique_ptr<Entry>> entries_;
};

// The filter. A refused call gets UNAVAILABLE, refused_by kBreaker, and `retry-after` in the trailers (RFC 9110 section
// 10.2.3). A call counts when it is over, by its Outcome: a stream, too, but only a unary call can be slow. What counts
// neither way: what our own side refused, and a call whose caller cancelled it. A deadline that passed counts by
// `failures`, as DEADLINE_EXCEEDED. `memory`: the peer's; null: this filter's own.
Filter breaker(std::string peer, BreakerSettings settings, std::shared_ptr<Breakers> memory);

}  // namespace duplex::resilience
