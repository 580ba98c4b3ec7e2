// Policy: all rules for the calls of one peer, or of one of its methods, as a configuration has them.
#pragma once

#include <optional>

#include "duplex/resilience/breaker.h"
#include "duplex/resilience/fallback.h"
#include "duplex/resilience/fault.h"
#include "duplex/resilience/limit.h"
#include "duplex/resilience/retry.h"

namespace duplex::resilience {

struct Policy {
  Duration timeout = std::chrono::seconds(15);  // of a unary call as a whole; a caller's sooner deadline stands
  std::optional<RetrySettings> retry;
  std::optional<HedgeSettings> hedge;  // not beside retry (gRFC A6)
  std::optional<BreakerSettings> breaker;
  std::optional<FallbackSettings> fallback;
  std::optional<FaultSettings> fault;
  bool wait_for_ready = false;  // a peer that cannot be reached is waited for until the deadline
};
config::Table<Policy> policy_table();

}  // namespace duplex::resilience
