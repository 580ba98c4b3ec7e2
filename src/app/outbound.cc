#include "app/outbound.h"

#include <mutex>

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

// Each method's own policies where the configuration has some for it, else the peer's.
class ByMethod final : public Service {
 public:
  ByMethod(std::shared_ptr<Service> others, std::map<std::string, std::shared_ptr<Service>, std::less<>> methods)
      : others_(std::move(others)), methods_(std::move(methods)) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    std::string_view name = c.method->name;
    if (name.starts_with('/')) name.remove_prefix(1);
    auto own = methods_.find(name);
    return (own != methods_.end() ? own->second : others_)->call(ctx, c);
  }

 private:
  const std::shared_ptr<Service> others_;
  const std::map<std::string, std::shared_ptr<Service>, std::less<>> methods_;
};

std::shared_ptr<Service> policies(std::shared_ptr<Service> next, const std::string& peer,
                                  const resilience::Policy& policy, std::shared_ptr<Service> handler,
                                  const OutboundParts& parts, PeerMemory& memory) {
  // The whole call, all attempts and the wait for a connection included.
  next = resilience::timeout(policy.timeout)(std::move(next));
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

}  // namespace

std::shared_ptr<Service> outbound_chain(std::shared_ptr<Service> peer, const Client::Settings& settings,
                                        const OutboundParts& parts, PeerMemory& memory) {
  if (settings.policy.retry) memory.budget->set(settings.policy.retry->budget);
  if (settings.policy.fallback && settings.policy.fallback->last_good)
    memory.last_good->set(*settings.policy.fallback->last_good);
  auto chain_of = [&](const std::string& method, const resilience::Policy& policy) {
    auto handler = parts.fallbacks.find(method);
    return policies(peer, settings.name, policy, handler != parts.fallbacks.end() ? handler->second : nullptr, parts,
                    memory);
  };
  std::map<std::string, std::shared_ptr<Service>, std::less<>> methods;
  for (const auto& [method, policy] : settings.methods) methods.emplace(method, chain_of(method, policy));
  for (const auto& [method, handler] : parts.fallbacks)
    if (!methods.contains(method)) methods.emplace(method, chain_of(method, settings.policy));
  std::shared_ptr<Service> next = chain_of("", settings.policy);
  if (!methods.empty()) next = std::make_shared<ByMethod>(std::move(next), std::move(methods));
  // Users' own filters, the first used outermost: they see the call once, however often it is tried.
  for (auto it = parts.filters.rbegin(); it != parts.filters.rend(); ++it) next = (*it)(std::move(next));
  // Outermost: span, metrics and the trace's way on, so that they see what the caller sees.
  next = std::make_shared<Observed>(std::move(next), settings.name);
  return next;
}

}  // namespace duplex::app
