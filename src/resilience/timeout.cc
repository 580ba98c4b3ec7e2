#include "duplex/resilience/timeout.h"

namespace duplex::resilience {
namespace {

class Timeout final : public Service {
 public:
  Timeout(std::shared_ptr<Service> next, Duration timeout, bool streams_too)
      : next_(std::move(next)), timeout_(timeout), streams_too_(streams_too) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    bool streams = c.method->caller_streams || c.method->service_streams;
    if ((streams && !streams_too_) || timeout_ <= Duration::zero()) return next_->call(ctx, c);
    return bounded(ctx, c);
  }

 private:
  Task<Outcome> bounded(Context& ctx, Call& c) {
    Context child(ctx, timeout_);
    co_return co_await next_->call(child, c);
  }
  const std::shared_ptr<Service> next_;
  const Duration timeout_;
  const bool streams_too_;
};

}  // namespace

Filter timeout(Duration whole_call, bool streams_too) {
  return [=](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Timeout>(std::move(next), whole_call, streams_too);
  };
}

}  // namespace duplex::resilience
