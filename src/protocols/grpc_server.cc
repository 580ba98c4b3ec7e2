#include "duplex/protocols/grpc_server.h"

#include "protocols/grpc_wire.h"

namespace duplex::grpc {
namespace {

const Metadata& reply_head() {
  static const Metadata kHead = Metadata::constant({{"content-type", "application/grpc"}});
  return kHead;
}

class In final : public Source {
 public:
  In(http::Exchange& x, size_t limit) : x_(x), frames_(x, limit, "request") {}

  // No coroutine when there is a message, an end or a cancel; else it parks, the only frame.
  Task<Result<std::optional<Message>>> next(Context& ctx) override {
    using Ready = Task<Result<std::optional<Message>>>;
    if (ctx.cancelled()) return Ready::ready(ctx.why());
    auto m = poll();
    if (m) return Ready::ready(std::move(*m));
    return next_later(ctx);
  }

 private:
  // nullopt: wait.
  std::optional<Result<std::optional<Message>>> poll() {
    auto m = frames_.poll();
    if (!m || *m) return m;
    if (frames_.at_end()) return Result<std::optional<Message>>(std::optional<Message>());
    if (x_.ended()) return Result<std::optional<Message>>(Status::internal("the request ends within a message"));
    if (!x_.error().is_ok()) return Result<std::optional<Message>>(x_.error());
    return std::nullopt;
  }
  Task<Result<std::optional<Message>>> next_later(Context& ctx) {
    for (;;) {
      if (Status s = co_await x_.arrived().wait(ctx); !s.is_ok()) co_return s;
      if (auto m = poll()) co_return std::move(*m);
    }
  }
  http::Exchange& x_;
  Deframer frames_;
};

class Out final : public Sink {
 public:
  Out(http::Exchange& x, bool streams) : x_(x), streams_(streams) {}

  Task<Status> head(Context& ctx, Metadata metadata) override {
    if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
    if (has_head_) return Task<Status>::ready(Status::internal("a second head"));
    has_head_ = true;
    if (streams_)
      send_head(metadata);
    else
      head_ = std::move(metadata);  // law 2
    return Task<Status>::ready(Status());
  }

  Task<Status> write(Context& ctx, Message message) override {
    if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
    if (!streams_) {
      if (held_) return Task<Status>::ready(Status::internal("a second message for a unary reply"));
      held_ = std::move(message);
      return Task<Status>::ready(Status());
    }
    if (x_.unsent_octets() >= http::kUnsentLimit) return write_later(ctx, std::move(message));
    put(message);
    return Task<Status>::ready(x_.error());
  }

  // The last word.
  void finish(const Status& status, const Metadata& trailers) {
    if (!x_.error().is_ok()) return;                                      // nobody listens any more
    if (!x_.head_sent() && (!status.is_ok() || (!held_ && !streams_))) {  // trailers only
      Metadata head = reply_head();
      for (Metadata::Entry e : status_fields(status, trailers)) head.add(e.name, e.value);
      x_.send_head(200, head, true);
      return;
    }
    if (!x_.head_sent()) send_head(head_);
    if (held_) put(*held_);
    x_.send_end(status_fields(status, trailers));
  }

 private:
  Task<Status> write_later(Context& ctx, Message message) {
    if (Status s = co_await http::wait_room(ctx, x_); !s.is_ok()) co_return s;
    put(message);
    co_return x_.error();
  }
  void send_head(const Metadata& user) {
    if (user.empty()) return x_.send_head(200, reply_head(), false);
    Metadata head = reply_head();
    add_user_fields(head, user);
    x_.send_head(200, head, false);
  }
  void put(const Message& message) {
    if (!x_.head_sent()) send_head(head_);
    char prefix[5];
    frame_prefix(prefix, message.bytes.size());
    x_.send({prefix, sizeof prefix});
    x_.send(message.bytes.view());
  }
  http::Exchange& x_;
  const bool streams_;
  bool has_head_ = false;
  Metadata head_;
  std::optional<Message> held_;
};

void refuse(http::Exchange& x, const Status& status) { Out(x, false).finish(status, Metadata()); }

}  // namespace

bool is_grpc(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (!content_type.starts_with(kType)) return false;
  return content_type.size() == kType.size() || content_type[kType.size()] == '+' || content_type[kType.size()] == ';';
}

void answer_unknown(http::Exchange& x) {
  std::string path = x.head().target.substr(0, 200);
  refuse(x, Status::unimplemented("no method " + path + " here"));
}

Task<void> serve(Context& ctx, http::Exchange& x, const Method& method, Service& service, ServerSettings settings) {
  const Metadata& fields = x.head().fields;
  ctx.set_label(&method.label);
  if (x.head().method != "POST") {
    Metadata allow;
    allow.add("allow", "POST");
    x.send_head(405, allow, true);
    co_return;
  }
  if (auto encoding = fields.find("grpc-encoding"); encoding && *encoding != "identity") {
    // PROTOCOL-HTTP2, "Message-Encoding": the caller is told what it may use.
    Metadata head = reply_head();
    head.add("grpc-accept-encoding", "identity");
    for (Metadata::Entry e :
         status_fields(Status::unimplemented("messages compressed by " + std::string(encoding->substr(0, 50)) +
                                             " are not accepted; only identity is"),
                       Metadata()))
      head.add(e.name, e.value);
    x.send_head(200, head, true);
    co_return;
  }
  bool bad_timeout = false;
  if (auto text = fields.find("grpc-timeout")) {
    if (auto timeout = parse_timeout(*text))
      ctx.set_deadline(after(ctx.loop().now(), *timeout));
    else
      bad_timeout = true;
  }
  Result<Metadata> metadata = metadata_of(fields);
  if (bad_timeout || !metadata) {
    refuse(x, bad_timeout ? Status::internal("grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n")
                          : metadata.error());
    co_return;
  }
  Peer peer(x.peer(), "grpc");
  ctx.put(peer);
  In in(x, settings.max_message);
  Out out(x, method.service_streams);
  Call call(method, std::move(*metadata), in, out);
  Outcome outcome = co_await service.call(ctx, call);
  // Law 8: why the Context was cancelled wins over what the handler made of it.
  out.finish(ctx.cancelled() ? ctx.why() : outcome.status, outcome.trailers);
}

}  // namespace duplex::grpc
