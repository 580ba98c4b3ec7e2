#include "app/outbound.h"

#include <mutex>

#include "duplex/telemetry/telemetry.h"

namespace duplex::app {
namespace {

// A deadline for calls that bring none, so that no call waits for ever.
class Timeout final : public Service {
 public:
  Timeout(std::shared_ptr<Service> next, Duration timeout) : next_(std::move(next)), timeout_(timeout) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    bool streams = c.method->caller_streams || c.method->service_streams;
    if (streams || timeout_ <= Duration::zero()) return next_->call(ctx, c);
    return bounded(ctx, c);
  }

 private:
  Task<Outcome> bounded(Context& ctx, Call& c) {
    Context child(ctx, timeout_);
    co_return co_await next_->call(child, c);
  }
  std::shared_ptr<Service> next_;
  const Duration timeout_;
};

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

}  // namespace

std::shared_ptr<Service> outbound_chain(std::shared_ptr<Service> peer, const std::vector<Filter>& users,
                                        const OutboundSettings& settings) {
  std::shared_ptr<Service> next = std::move(peer);
  // The default deadline bounds the attempts below it, and the wait for a connection too.
  next = std::make_shared<Timeout>(std::move(next), settings.timeout);
  // Users' own filters, the first used outermost.
  for (auto it = users.rbegin(); it != users.rend(); ++it) next = (*it)(std::move(next));
  // Outermost: span, metrics and the trace's way on, so that they see what the caller sees.
  next = std::make_shared<Observed>(std::move(next), settings.peer);
  return next;
}

}  // namespace duplex::app
