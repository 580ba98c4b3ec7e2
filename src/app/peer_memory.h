// What a peer's policies remember: it outlives the chains, so that a reload of the configuration forgets nothing.
#pragma once

#include <memory>

#include "duplex/resilience/breaker.h"
#include "duplex/resilience/budget.h"
#include "duplex/resilience/fallback.h"
#include "duplex/resilience/limit.h"

namespace duplex::app {

// One a Client, shared by its loops.
struct PeerMemory {
  std::shared_ptr<resilience::RetryBudget> budget =
      std::make_shared<resilience::RetryBudget>(resilience::BudgetSettings());
  // In its place, where a gRPC service config has one; null until then.
  std::shared_ptr<resilience::RetryThrottle> throttle;
  resilience::ThrottleSettings throttle_settings;
  std::shared_ptr<resilience::Breakers> breakers = std::make_shared<resilience::Breakers>();
  std::shared_ptr<resilience::Bulkhead> bulkhead = std::make_shared<resilience::Bulkhead>(resilience::LimitSettings());
  std::shared_ptr<resilience::LastGood> last_good = std::make_shared<resilience::LastGood>();
};

}  // namespace duplex::app
