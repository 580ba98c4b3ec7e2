// HealthCheck: asks one endpoint again and again whether it is well: grpc.health.v1's Check, or an HTTP path.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "duplex/client/balance.h"
#include "duplex/runtime/scope.h"
#include "duplex/service/service.h"

namespace duplex::client {

// One question. OK: it is well; else why not. A server that does not have grpc.health.v1 counts as well (gRFC A17).
Task<Status> ask_health(Context& ctx, Service& endpoint, const HealthSettings& settings);

class HealthCheck {
 public:
  // Told when the endpoint's state changes: `bad` is why it is not well. It begins as well.
  using Verdict = std::function<void(Context&, bool healthy, const Status& bad)>;
  explicit HealthCheck(const HealthSettings& settings) : settings_(settings) {}

  // Asks at once, and then every so often with a tenth of jitter, until stop() or the scope's end. `endpoint` is there
  // as long as it is running().
  static void start(std::shared_ptr<HealthCheck> self, Scope& scope, Service& endpoint, Verdict verdict);
  void stop();
  bool running() const { return running_; }

 private:
  static Task<void> run(Context& ctx, std::shared_ptr<HealthCheck> self, Service* endpoint, Verdict verdict);
  // True: its state has changed.
  bool count(bool well);

  const HealthSettings settings_;
  bool running_ = false, stopped_ = false, healthy_ = true;
  int64_t in_a_row_ = 0;  // answers that speak against its state
  Context* own_ = nullptr;
};

}  // namespace duplex::client
