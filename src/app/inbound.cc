#include "app/inbound.h"

#include <cstdio>

#include "app/dispatcher.h"

namespace duplex::app {
namespace {

// A route that answers with a text.
class Text final : public Service {
 public:
  using Answer = std::function<std::pair<int, std::string>()>;
  explicit Text(Answer answer) : answer_(std::move(answer)) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    auto [status, text] = answer_();
    Metadata head;
    head.add(":status", std::to_string(status));
    head.add("content-type", "text/plain; version=0.0.4; charset=utf-8");
    head.add("content-length", std::to_string(text.size()));
    if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
    Message message(Bytes::copy(text), Format::kOpaque);
    co_return co_await c.out->write(ctx, std::move(message));
  }

 private:
  Answer answer_;
};

}  // namespace

Inbound::Inbound(Settings settings) : settings_(std::move(settings)) {}
Inbound::~Inbound() = default;

std::shared_ptr<Service> Inbound::chain(std::shared_ptr<Service> service, const std::vector<Filter>& users) const {
  // Innermost: the handler's exceptions become INTERNAL here, so that every filter outside sees them as a status.
  std::shared_ptr<Service> next = answer()(std::move(service));
  // Users' own filters, the first used outermost.
  for (auto it = users.rbegin(); it != users.rend(); ++it) next = (*it)(std::move(next));
  return next;
}

Status Inbound::add_own_routes(Dispatcher& dispatcher) {
  auto text = [&](std::string_view pattern, Text::Answer answer) {
    auto service = std::make_shared<Text>(std::move(answer));
    return dispatcher.add_route(pattern, [&](const Method&) { return service; });
  };
  if (Status s = text("GET /livez", [] { return std::pair(200, std::string("ok\n")); }); !s.is_ok()) return s;
  return text("GET /readyz", [this] {
    return ready_ ? std::pair(200, std::string("ok\n")) : std::pair(503, std::string("not ready\n"));
  });
}

void Inbound::attach(Loop&) {}
void Inbound::report_stall(std::string_view method, Duration held) {
  std::fprintf(stderr, "duplex: %.*s has held a loop for %s\n", static_cast<int>(method.size()), method.data(),
               show_duration(held).c_str());
}
void Inbound::flush() {}

}  // namespace duplex::app
