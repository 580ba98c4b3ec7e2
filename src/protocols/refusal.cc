#include "protocols/refusal.h"

#include "duplex/service/pipe.h"

namespace duplex {
namespace {

class Refused final : public Service {
 public:
  explicit Refused(const Status& why) : why_(why) {}
  Task<Outcome> call(Context&, Call&) override { return Task<Outcome>::ready(Outcome(why_)); }

 private:
  const Status why_;
};

}  // namespace

Task<void> show_refusal(const Filter* observe, Context& ctx, const Method& method, const Metadata& metadata,
                        const Status& why) {
  if (!observe || !*observe) co_return;
  std::shared_ptr<Service> seen = (*observe)(std::make_shared<Refused>(why));
  One in{Message()};
  Drop out;
  Call call(method, metadata, in, out);
  static_cast<void>(co_await seen->call(ctx, call));
}

}  // namespace duplex
