#include "duplex/resilience/fault.h"

#include "duplex/base/random.h"
#include "duplex/resilience/event.h"
#include "duplex/runtime/wait.h"

namespace duplex::resilience {
namespace {

class Fault final : public Service {
 public:
  Fault(std::string peer, FaultSettings settings, std::shared_ptr<Service> next)
      : peer_(std::move(peer)), settings_(std::move(settings)), next_(std::move(next)) {}

  Task<Outcome> call(Context& ctx, Call& c) override { return struck(c) ? fail(ctx, c) : next_->call(ctx, c); }

 private:
  bool struck(const Call& c) const {
    double share = settings_.share;
    if (!settings_.header.empty()) {
      auto value = c.metadata.find(settings_.header);
      if (!value) return false;
      if (Result<double> own = config::share().parse(*value)) share = *own;
    }
    return random_unit() < share;
  }

  Task<Outcome> fail(Context& ctx, Call& c) {
    const bool aborts = settings_.abort != Code::kOk;
    std::string text = peer_ + ": a fault of the configuration (peers." + peer_ + ".fault)";
    const std::string what =
        std::string(settings_.delay > Duration::zero() ? ": a delay of " + show_duration(settings_.delay) : "") +
        (aborts ? ": " + std::string(code_name(settings_.abort)) : "");
    report(ctx, Event(Event::Kind::kFault, peer_, c.method->name, text + what));
    if (settings_.delay > Duration::zero())
      if (Status s = co_await sleep(ctx, settings_.delay); !s.is_ok()) co_return s;
    if (aborts) co_return Status(settings_.abort, std::move(text));
    co_return co_await next_->call(ctx, c);
  }

  const std::string peer_;
  const FaultSettings settings_;
  const std::shared_ptr<Service> next_;
};

}  // namespace

Filter fault(std::string peer, FaultSettings settings) {
  return [peer = std::move(peer), settings = std::move(settings)](std::shared_ptr<Service> next) {
    return std::make_shared<Fault>(peer, settings, std::move(next));
  };
}

}  // namespace duplex::resilience
