// What policies did, as metrics and lines of the log.
#pragma once

#include "duplex/base/metrics.h"
#include "duplex/resilience/event.h"

namespace duplex::app {

// duplex_policy_events_total{event, peer, rpc_method}, and duplex_breaker_state{peer, rpc_method}: 0 closed, 1 open,
// 2 half-open. A change of state is a line of the log; what happens call by call is one at level debug.
class PolicyEvents final : public resilience::Observer {
 public:
  explicit PolicyEvents(Registry& registry);
  void on(Context& ctx, const resilience::Event& event) override;

 private:
  Family<Counter>& events_;
  Family<Gauge>& breakers_;
};

}  // namespace duplex::app
