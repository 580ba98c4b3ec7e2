#include "app/inbound.h"

#include "app/dispatcher.h"
#include "duplex/telemetry/log.h"

namespace duplex::app {
namespace {

// A route that answers with a text.
class Text final : public Service {
 public:
  using Answer = std::function<std::pair<int, std::string>()>;
  explicit Text(Answer answer) : answer_(std::move(answer)) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    auto [status, text] = answer_();
    return tell(ctx, c, status, "text/plain; version=0.0.4; charset=utf-8", std::move(text));
  }
  static Task<Outcome> tell(Context& ctx, Call& c, int status, std::string_view type, std::string text) {
    Metadata head;
    head.add(":status", std::to_string(status));
    head.add("content-type", type);
    head.add("content-length", std::to_string(text.size()));
    if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
    Message message(Bytes::copy(text), Format::kOpaque);
    co_return co_await c.out->write(ctx, std::move(message));
  }

 private:
  Answer answer_;
};

// What is known of the peers, for who is on this machine: it tells where they are.
class PeersPage final : public Service {
 public:
  explicit PeersPage(PeerDirectory& peers) : peers_(peers) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    if (!is_local(ctx, c)) {
      std::string refusal("/debug is for callers of this machine\n");
      co_return co_await Text::tell(ctx, c, 403, "text/plain; charset=utf-8", std::move(refusal));
    }
    Context bounded(ctx, kPatience);
    std::vector<PeerReport> reports = co_await peers_.report(bounded);
    std::string page = peers_page(reports, ctx.loop().now());
    co_return co_await Text::tell(ctx, c, 200, "application/json", std::move(page));
  }

 private:
  static constexpr Duration kPatience = std::chrono::seconds(2);  // with a loop that is held by a handler
  static bool is_local(const Context& ctx, const Call& c) {
    const Peer* peer = ctx.find<Peer>();
    const std::string_view from = peer ? peer->address : std::string_view();
    const bool local = from.starts_with("127.") || from.starts_with("[::1]") || from.starts_with("[::ffff:127.") ||
                       from.starts_with("unix:");
    return local && !c.metadata.find("x-forwarded-for") && !c.metadata.find("forwarded");
  }
  PeerDirectory& peers_;
};

class Guard final : public Service {
 public:
  explicit Guard(std::shared_ptr<Service> next) : next_(std::move(next)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return guarded(*next_, ctx, c); }

 private:
  std::shared_ptr<Service> next_;
};

}  // namespace

namespace {
Telemetry::Options telemetry_options(const Inbound::Settings& settings) {
  Telemetry::Options options;
  options.access_log = settings.access_log;
  return options;
}
}  // namespace

Result<std::unique_ptr<Inbound>> Inbound::make(Settings settings) {
  Result<std::unique_ptr<LogSink>> sink = LogSink::open(settings.log_file);
  if (!sink) return sink.error();
  return std::unique_ptr<Inbound>(new Inbound(std::move(settings), std::move(*sink)));
}

Inbound::Inbound(Settings settings, std::unique_ptr<LogSink> sink)
    : settings_(std::move(settings)),
      sink_(std::move(sink)),
      logger_(*sink_, settings_.service_name, settings_.log_level),
      telemetry_(registry_, logger_, telemetry_options(settings_)),
      policy_events_(registry_),
      rules_(settings_.admission),
      calls_per_turn_(registry_
                          .histograms("duplex_loop_calls_per_turn",
                                      "Calls that began in one turn of a loop, and so shared its system calls.", {},
                                      Buckets{{1, 2, 3, 5, 10, 20, 50, 100, 200, 500}, 1})
                          .with({})) {
  set_exception_report(log_exception);
}
Inbound::~Inbound() = default;

std::shared_ptr<Service> Inbound::chain(std::shared_ptr<Service> service, const std::vector<Filter>& users) {
  // Innermost: the handler's exceptions become INTERNAL here, so that every filter outside sees them as a status.
  std::shared_ptr<Service> next = answer()(std::move(service));
  // Users' own filters, the first used outermost.
  for (auto it = users.rbegin(); it != users.rend(); ++it) next = (*it)(std::move(next));
  // A filter's own exception is a user's too (law 9): trace, metrics and access log see it as INTERNAL.
  if (!users.empty()) next = std::make_shared<Guard>(std::move(next));
  // Limits, which a reload may change: before anything that costs, and behind what sees every call.
  {
    std::lock_guard lock(gates_mutex_);
    gates_.push_back(std::make_shared<Gate>(std::move(next), rules_, admission_));
    next = gates_.back();
  }
  // Outermost: trace, metrics and access log, so that every call is seen, whatever answers it.
  next = telemetry_.server()(std::move(next));
  return next;
}

std::shared_ptr<Service> Inbound::own_chain(std::shared_ptr<Service> service) {
  return telemetry_.server()(answer()(std::move(service)));
}

Status Inbound::add_own_routes(Dispatcher& dispatcher) {
  auto text = [&](std::string_view pattern, Text::Answer answer) {
    auto service = std::make_shared<Text>(std::move(answer));
    return dispatcher.add_route(pattern, [&](const Method&) { return service; });
  };
  if (Status s = text("GET /livez", [] { return std::pair(200, std::string("ok\n")); }); !s.is_ok()) return s;
  if (Status s = text("GET /metrics", [this] { return std::pair(200, registry_.render()); }); !s.is_ok()) return s;
  auto debug = std::make_shared<PeersPage>(peers_);
  if (Status s = dispatcher.add_route("GET /debug/peers", [&](const Method&) { return debug; }); !s.is_ok()) return s;
  return text("GET /readyz", [this] {
    return ready_ ? std::pair(200, std::string("ok\n")) : std::pair(503, std::string("not ready\n"));
  });
}

void Inbound::attach(Context& root) {
  telemetry_.attach(root);
  root.put(telemetry_);
  root.put<resilience::Observer>(policy_events_);
  root.put(peers_);
  root.loop().set_calls_per_turn(&calls_per_turn_);
}

void Inbound::set_admission(const AdmissionRules& rules) {
  std::lock_guard lock(gates_mutex_);
  if (rules == rules_) return;
  rules_ = rules;
  for (auto& gate : gates_) gate->set(rules_, admission_);
}

void Inbound::note(LogLevel level, std::string_view message) {
  if (!logger_.enabled(level)) return;
  LogBuffer buffer(logger_);
  {
    buffer.line(level, std::chrono::system_clock::now(), message);
  }
  buffer.flush();
}

void Inbound::report_stall(std::string_view method, Duration held) {
  LogBuffer buffer(logger_);
  buffer.line(LogLevel::kWarn, std::chrono::system_clock::now(), "a handler holds its loop")
      .field("rpc.method", method)
      .field("event.duration", held.count());
  buffer.flush();
}

}  // namespace duplex::app
