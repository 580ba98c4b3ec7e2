#include "duplex/telemetry/telemetry.h"

namespace duplex {
namespace {

class AttemptSpan final : public Service {
 public:
  explicit AttemptSpan(std::shared_ptr<Service> next) : next_(std::move(next)) {}
  // The Call is this attempt's own: what is written into its metadata the next one does not see.
  Task<Outcome> call(Context& ctx, Call& c) override {
    if (std::optional<TraceContext> call = TraceContext::of(c.metadata)) call->child().put_into(c.metadata);
    return next_->call(ctx, c);
  }

 private:
  const std::shared_ptr<Service> next_;
};

}  // namespace

Filter attempt_span() {
  return [](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<AttemptSpan>(std::move(next));
  };
}

}  // namespace duplex
