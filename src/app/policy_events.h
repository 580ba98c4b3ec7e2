// What policies did, as metrics and lines of the log.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "duplex/base/metrics.h"
#include "duplex/resilience/event.h"

namespace duplex::app {

// duplex_policy_events_total{event, peer, rpc_method}, and duplex_breaker_state{peer, rpc_method}: 0 closed, 1 open,
// 2 half-open. A change of state is a line of the log; what happens call by call is one at level debug. Calls that the
// server refuses are as many as callers please: of those there is a line a second at most for each method, which says
// how many they were since the one before.
class PolicyEvents final : public resilience::Observer {
 public:
  explicit PolicyEvents(Registry& registry);
  void on(Context& ctx, const resilience::Event& event) override;

 private:
  // Of one kind and method.
  struct Refusals {
    Time last_line{};
    uint64_t since = 0;
  };
  static constexpr size_t kMostRefusals = 1000;  // methods that have a line of their own; further ones share one
  // How many to tell of now, this one included; 0: a line was written less than a second ago.
  uint64_t refusals_to_tell(resilience::Event::Kind kind, std::string_view method, Time now);
  Family<Counter>& events_;
  Family<Gauge>& breakers_;
  std::mutex mutex_;
  std::map<std::pair<resilience::Event::Kind, std::string>, Refusals> refusals_;
};

}  // namespace duplex::app
