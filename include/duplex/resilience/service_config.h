// A gRPC service config: what a team that has one for its other gRPC clients can use as it is.
//
// Of its JSON (grpc/doc/service_config.md) is read: methodConfig with name, timeout, waitForReady, retryPolicy and
// hedgingPolicy, and retryThrottling; the rules are those of gRFC A6. Anything else, such as loadBalancingConfig, is
// left alone. A configuration names one a peer (`service_config`); in C++ it is a filter, too.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/status.h"
#include "duplex/resilience/budget.h"
#include "duplex/resilience/retry.h"

namespace duplex::resilience {

struct Policy;

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
  bool makes_attempts() const;  // any entry retries or hedges
};

// INVALID_ARGUMENT names the place ("methodConfig[0].retryPolicy.maxAttempts") and what may stand there. More than five
// attempts are taken for five.
Result<ServiceConfig> parse_service_config(std::string_view json);

// Lays what it says of a method (null: nothing) over a policy: timeout, waitForReady, retryPolicy or hedgingPolicy.
void apply(const MethodConfig* said, Policy& policy);

// A peer's `service_config` in a configuration, where it may stand in a file of its own.
struct ServiceConfigSetting {
  std::string file;  // that it was read from; empty: it stands in the configuration, or nowhere
  std::shared_ptr<const ServiceConfig> read;  // null: there is none
};
// JSON, which begins with a brace, or the path of a file of at most 1 MiB of it; reading one opens the file.
config::Kind<ServiceConfigSetting> service_config();
// The path that such a text is; empty: it is JSON.
std::string file_of_service_config(std::string_view text);

// Deadlines, retries and hedges for the calls to `peer` as the config has them, with its throttle as their budget
// (without one: none).
//   client.use(resilience::by_service_config("payments", *config));
Filter by_service_config(std::string peer, ServiceConfig config);

}  // namespace duplex::resilience
