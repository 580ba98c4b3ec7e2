#include "app/outbound.h"

#include <mutex>

#include "app/method_policies.h"
#include "duplex/client/route.h"
#include "duplex/resilience/timeout.h"
#include "duplex/telemetry/telemetry.h"

namespace duplex::app {
namespace {

// The telemetry of the server within whose call (or on whose loop) this call is made; none outside of servers.
class Observed final : public Service {
 public:
  Observed(std::shared_ptr<Service> next, std::string peer) : next_(std::move(next)), peer_(std::move(peer)) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    Telemetry* telemetry = ctx.find<Telemetry>();
    return telemetry ? watched_by(*telemetry).call(ctx, c) : next_->call(ctx, c);
  }

 private:
  Service& watched_by(Telemetry& telemetry) {
    std::lock_guard lock(mutex_);
    for (auto& [known, chain] : chains_)
      if (known == telemetry.id()) return *chain;
    chains_.emplace_back(telemetry.id(), telemetry.client(peer_)(next_));
    return *chains_.back().second;
  }
  std::shared_ptr<Service> next_;
  const std::string peer_;
  std::mutex mutex_;
  std::vector<std::pair<uint64_t, std::shared_ptr<Service>>> chains_;
};

// What the attempts of a call tell the choice of endpoints: which were tried, and whether it waits for one.
class Routed final : public Service {
 public:
  Routed(std::shared_ptr<Service> next, bool wait_for_ready)
      : next_(std::move(next)), wait_for_ready_(wait_for_ready) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    client::Route route(wait_for_ready_);
    Context own(ctx);
    own.put(route);
    co_return co_await next_->call(own, c);
  }

 private:
  const std::shared_ptr<Service> next_;
  const bool wait_for_ready_;
};

std::shared_ptr<Service> policies(std::shared_ptr<Service> next, const Client::Settings& settings,
                                  const resilience::Policy& policy, const resilience::MethodConfig* said,
                                  std::shared_ptr<Service> handler, const OutboundParts& parts, PeerMemory& memory,
                                  const std::shared_ptr<resilience::Budget>& budget) {
  const std::string& peer = settings.name;
  // Innermost, so that the others see it as the peer's own.
  if (policy.fault) next = resilience::fault(peer, *policy.fault)(std::move(next));
  // Each attempt asks the breaker, and tells it how it ended.
  if (policy.breaker) next = resilience::breaker(peer, *policy.breaker, memory.breakers)(std::move(next));
  // A wait between two attempts holds no place; what the limit refuses tells the breaker nothing.
  if (settings.limit) next = resilience::limit(peer, *settings.limit, memory.bulkhead)(std::move(next));
  if (policy.retry || policy.hedge) next = attempt_span()(std::move(next));
  if (policy.retry) next = resilience::retry(peer, *policy.retry, budget)(std::move(next));
  if (policy.hedge) next = resilience::hedge(peer, *policy.hedge, budget)(std::move(next));
  // Around all attempts, since they tell one another where they were.
  if (policy.retry || policy.hedge || policy.wait_for_ready)
    next = std::make_shared<Routed>(std::move(next), policy.wait_for_ready);
  // The whole call, all attempts and the wait for a connection included; gRPC's own is for streams, too.
  next = resilience::timeout(policy.timeout, said && said->timeout)(std::move(next));
  // Outside the timeout, so that there is time left for it, and outside what it stands in for.
  if (policy.fallback || handler) {
    resilience::FallbackParts asked;
    asked.handler = std::move(handler);
    asked.last_good = memory.last_good;
    asked.peer = parts.peers;
    next = resilience::fallback(peer, policy.fallback.value_or(resilience::FallbackSettings()),
                                std::move(asked))(std::move(next));
  }
  return next;
}

// The answers of all methods are kept in one place: the peer's rule for it, or the first method's that has one.
std::optional<resilience::LastGoodSettings> last_good_of(const Client::Settings& settings) {
  if (settings.policy.fallback && settings.policy.fallback->last_good) return settings.policy.fallback->last_good;
  for (const auto& [method, policy] : settings.methods)
    if (policy.fallback && policy.fallback->last_good) return policy.fallback->last_good;
  return std::nullopt;
}

// A throttle of a service config stands in for the budget; it goes on where it was as long as it is the same.
std::shared_ptr<resilience::Budget> budget_of(const Client::Settings& settings, PeerMemory& memory) {
  if (!settings.service_config || !settings.service_config->throttle) return memory.budget;
  const resilience::ThrottleSettings& wanted = *settings.service_config->throttle;
  if (!memory.throttle || memory.throttle_settings != wanted) {
    memory.throttle = std::make_shared<resilience::RetryThrottle>(wanted);
    memory.throttle_settings = wanted;
  }
  return memory.throttle;
}

}  // namespace

std::shared_ptr<Service> outbound_chain(std::shared_ptr<Service> peer, const Client::Settings& settings,
                                        const OutboundParts& parts, PeerMemory& memory) {
  memory.budget->set(settings.policy.retry ? settings.policy.retry->budget : resilience::BudgetSettings());
  if (auto kept = last_good_of(settings)) memory.last_good->set(*kept);
  const std::shared_ptr<resilience::Budget> budget = budget_of(settings, memory);
  std::vector<std::string> with_handler;
  for (const auto& [method, handler] : parts.fallbacks) with_handler.push_back(method);
  std::shared_ptr<Service> next =
      by_method(settings, with_handler,
                [&](const std::string& method, const resilience::Policy& policy, const resilience::MethodConfig* said) {
                  auto handler = parts.fallbacks.find(method);
                  return policies(peer, settings, policy, said,
                                  handler != parts.fallbacks.end() ? handler->second : nullptr, parts, memory, budget);
                });
  // Users' own filters, the first used outermost: they see the call once, however often it is tried.
  for (auto it = parts.filters.rbegin(); it != parts.filters.rend(); ++it) next = (*it)(std::move(next));
  // Outermost: span, metrics and the trace's way on, so that they see what the caller sees.
  next = std::make_shared<Observed>(std::move(next), settings.name);
  return next;
}

}  // namespace duplex::app
