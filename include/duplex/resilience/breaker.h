// CircuitBreaker: stops asking a peer that fails, and finds out carefully whether it works again. The words and the
// rules are Resilience4j's.
#pragma once

#include <vector>

#include "duplex/config/table.h"
#include "duplex/resilience/cause.h"

namespace duplex::resilience {

// What the breaker looks back on: the last so many calls, or the calls of the last so many seconds.
struct Window {
  int64_t calls = 100;  // 0: by time
  Duration time{};      // whole seconds
};

struct BreakerSettings {
  Window window;
  double failure_rate = 0.5;                      // opens at this share of failures
  Duration slow_call = std::chrono::seconds(60);  // a call that takes longer is slow
  double slow_rate = 1.0;                         // opens at this share of slow calls
  int64_t minimum = 100;                          // calls in the window before any rate counts
  int64_t consecutive = 0;                        // failures in a row that open it, whatever the rates; 0: off
  Duration open_for = std::chrono::seconds(60);   // how long it stays open before it tries
  int64_t probes = 10;                            // calls let through half-open; it decides when all have ended
  Duration half_open_for{};                       // half-open for longer than this: open again; 0: no limit
  // What counts as a failure of the peer. INVALID_ARGUMENT, NOT_FOUND, other 4xx and a caller's own cancel never do.
  std::vector<Cause> failures{Cause::of(Code::kUnavailable), Cause::of(Code::kDeadlineExceeded),
                              Cause::of(Code::kInternal), Cause::of(Code::kUnknown), Cause::of(Code::kDataLoss)};
};
config::Table<BreakerSettings> breaker_table();

}  // namespace duplex::resilience
