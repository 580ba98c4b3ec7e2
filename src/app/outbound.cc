#include "app/outbound.h"

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

}  // namespace

std::shared_ptr<Service> outbound_chain(std::shared_ptr<Service> peer, const std::vector<Filter>& users,
                                        const OutboundSettings& settings) {
  std::shared_ptr<Service> next = std::move(peer);
  // The default deadline bounds the attempts below it, and the wait for a connection too.
  next = std::make_shared<Timeout>(std::move(next), settings.timeout);
  // Users' own filters, the first used outermost.
  for (auto it = users.rbegin(); it != users.rend(); ++it) next = (*it)(std::move(next));
  return next;
}

}  // namespace duplex::app
