// Gate: the part of a server's chain that a reload may change while calls run.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "duplex/resilience/admission.h"
#include "duplex/resilience/rate_limit.h"

namespace duplex::app {

// What a server takes on, and what its rules remember.
struct AdmissionRules {
  std::optional<resilience::ServerLimitSettings> limit;
  std::vector<resilience::RateLimitSettings> rate_limit;
  friend bool operator==(const AdmissionRules&, const AdmissionRules&) = default;
};
struct AdmissionMemory {
  std::shared_ptr<resilience::Admission> admission =
      std::make_shared<resilience::Admission>(resilience::ServerLimitSettings());
  std::shared_ptr<resilience::RateLimiter> rates = std::make_shared<resilience::RateLimiter>();
};

class Gate final : public Service {
 public:
  Gate(std::shared_ptr<Service> next, const AdmissionRules& rules, const AdmissionMemory& memory);
  Task<Outcome> call(Context& ctx, Call& c) override { return current_.load(std::memory_order_acquire)->call(ctx, c); }
  // From any thread. Calls under way end by the rules they came in under.
  void set(const AdmissionRules& rules, const AdmissionMemory& memory);

 private:
  const std::shared_ptr<Service> next_;
  std::atomic<Service*> current_;
  std::mutex mutex_;
  // All that ever were in force: calls may be in any of them, and rules change seldom.
  std::vector<std::shared_ptr<Service>> chains_;
};

}  // namespace duplex::app
