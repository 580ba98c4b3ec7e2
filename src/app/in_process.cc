#include "duplex/app/in_process.h"

#include "duplex/service/pipe.h"

namespace duplex {
namespace {

class InProcess final : public Service {
 public:
  explicit InProcess(std::shared_ptr<Service> next) : next_(std::move(next)), peer_("in-process", "in-process") {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    Context own(ctx);  // the handler must not find the caller's call in it
    own.set_label(&c.method->label);
    own.put(peer_);
    if (c.method->service_streams) {
      Call inner(*c.method, c.metadata, *c.in, *c.out);
      Outcome streamed = co_await next_->call(own, inner);
      if (own.cancelled()) streamed.status = own.why();  // law 8
      co_return streamed;
    }
    Keep kept;  // law 2
    Call inner(*c.method, c.metadata, *c.in, kept);
    Outcome outcome = co_await next_->call(own, inner);
    if (own.cancelled()) outcome.status = own.why();
    if (!outcome.status.is_ok()) co_return outcome;
    if (!kept.metadata.empty())
      if (Status s = co_await c.out->head(ctx, kept.metadata); !s.is_ok()) co_return s;
    if (kept.message)
      if (Status s = co_await c.out->write(ctx, std::move(*kept.message)); !s.is_ok()) co_return s;
    co_return outcome;
  }

 private:
  std::shared_ptr<Service> next_;
  Peer peer_;
};

}  // namespace

std::shared_ptr<Service> in_process(std::shared_ptr<Service> service, const std::vector<Filter>& filters) {
  std::shared_ptr<Service> next = answer()(std::move(service));
  for (auto it = filters.rbegin(); it != filters.rend(); ++it) next = (*it)(std::move(next));
  return std::make_shared<InProcess>(std::move(next));
}

}  // namespace duplex
