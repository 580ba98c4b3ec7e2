// A gRPC service config: what a team that has one for its other gRPC clients can use as it is.
//
// Of its JSON (grpc/doc/service_config.md) is read: methodConfig with name, timeout, waitForReady, retryPolicy and
// hedgingPolicy, and retryThrottling; the rules are those of gRFC A6. Anything else, such as loadBalancingConfig, is
// left alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/status.h"
#include "duplex/resilience/budget.h"
#include "duplex/resilience/retry.h"

namespace duplex::resilience {

// What it says of a method's calls.
struct MethodConfig {
  std::optional<Duration> timeout;     // of the whole call; a sooner deadline stands
  std::optional<bool> wait_for_ready;  // for the client: no filter can do it
  // At most one of the two. Whoever writes one says that the method may be repeated.
  std::optional<RetrySettings> retry;
  std::optional<HedgeSettings> hedge;
};

class ServiceConfig {
 public:
  // The most particular entry for a method's path, "/shop.v1.Orders/GetOrder"; null: nothing is said of it.
  const MethodConfig* find(std::string_view path) const;

  // By path; "/shop.v1.Orders/" is for the service's other methods, "" for all others.
  std::map<std::string, MethodConfig, std::less<>> methods;
  std::optional<ThrottleSettings> throttle;
};

// INVALID_ARGUMENT names the place ("methodConfig[0].retryPolicy.maxAttempts") and what may stand there. More than five
// attempts are taken for five.
Result<ServiceConfig> parse_service_config(std::string_view json);

// Deadlines, retries and hedges for the calls to `peer` as the config has them, with its throttle as their budget
// (without one: none).
//   client.use(resilience::by_service_config("payments", *config));
Filter by_service_config(std::string peer, ServiceConfig config);

}  // namespace duplex::resilience
