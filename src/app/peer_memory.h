// What a peer's policies remember: it outlives the chains, so that a reload of the configuration forgets nothing.
#pragma once

#include <memory>

#include "duplex/resilience/budget.h"
#include "duplex/resilience/fallback.h"

namespace duplex::app {

// One a Client, shared by its loops.
struct PeerMemory {
  std::shared_ptr<resilience::RetryBudget> budget =
      std::make_shared<resilience::RetryBudget>(resilience::BudgetSettings());
  std::shared_ptr<resilience::LastGood> last_good = std::make_shared<resilience::LastGood>();
};

}  // namespace duplex::app
