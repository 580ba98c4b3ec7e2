#include "duplex/protocols/grpc_server.h"

#include <algorithm>

#include "protocols/grpc_wire.h"
#include "protocols/gzip.h"
#include "protocols/refusal.h"

namespace duplex::grpc {
namespace {

// Below it gzip's own head and tail cost more than it saves.
constexpr size_t kWorthPacking = 64;

class In final : public Source {
  using Next = Result<std::optional<Message>>;

 public:
  In(http::Exchange& x, size_t limit, Form form) : x_(x), frames_(x, limit, "request", form) {}

  // No coroutine when there is a message, an end or a cancel; else it parks, the only frame.
  Task<Next> next(Context& ctx) override {
    if (ctx.cancelled()) return Task<Next>::ready(ctx.why());
    Next m = frames_.poll();
    if (settled(m)) return Task<Next>::ready(std::move(m));
    return next_later(ctx);
  }

 private:
  // Is that the answer? False: wait. What a poll without a message means is told by the exchange.
  bool settled(Next& m) {
    if (!m || *m || frames_.at_end()) return true;
    if (x_.ended())
      m = Status::internal("the request ends within a message");
    else if (!x_.error().is_ok())
      m = x_.error();
    return !m;
  }
  Task<Next> next_later(Context& ctx) {
    for (;;) {
      if (Status s = co_await x_.arrived().wait(ctx); !s.is_ok()) co_return s;
      if (Next m = frames_.poll(); settled(m)) co_return m;
    }
  }
  http::Exchange& x_;
  Deframer frames_;
};

class Out final : public Sink {
 public:
  // `form`: of the reply.
  Out(http::Exchange& x, bool streams, Form form) : x_(x), streams_(streams), form_(form) {}

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
    if (!x_.error().is_ok()) return;  // nobody listens any more
    if (!status.is_ok() && !streams_) held_.reset();
    if (form_.web) return finish_web(status, trailers);
    if (!x_.head_sent() && (!status.is_ok() || (!held_ && !streams_))) {  // trailers only
      Metadata head = form_.reply_head();
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
  void finish_web(const Status& status, const Metadata& trailers) {
    if (!x_.head_sent()) send_head(status.is_ok() || streams_ ? head_ : Metadata());
    if (held_) put(*held_);
    Buffer frame;
    append_trailers(frame, form_, status_fields(status, trailers));
    x_.send(frame.view());
    x_.send_end(Metadata());
  }
  void send_head(const Metadata& user) {
    if (user.empty()) return x_.send_head(200, form_.reply_head(), false);
    Metadata head = form_.reply_head();
    add_user_fields(head, user);
    x_.send_head(200, head, false);
  }
  void put(const Message& message) {
    if (!x_.head_sent()) send_head(head_);
    const bool pack = form_.gzip && message.bytes.size() >= kWorthPacking;
    if (pack || form_.text) {
      Buffer frame;
      if (pack)
        append_frame(frame, form_, 1, gzip(message.bytes.view()).view());
      else
        append_frame(frame, form_, 0, message.bytes.view());
      x_.send(frame.view());
      return;
    }
    char prefix[5];
    frame_prefix(prefix, message.bytes.size());
    x_.send({prefix, sizeof prefix});
    x_.send(message.bytes.view());
  }
  http::Exchange& x_;
  const bool streams_;
  const Form form_;
  bool has_head_ = false;
  Metadata head_;
  std::optional<Message> held_;
};

constexpr std::string_view kType = "application/grpc";

// Why a call cannot begin, and how that is told. OK: it can.
struct Refusal {
  Status status;
  int http = 200;
  bool tell_encodings = false;

  void answer(http::Exchange& x, Form form) const {
    if (form.web && http == 200) return Out(x, false, form).finish(status, Metadata());
    Metadata head = form.reply_head();
    if (tell_encodings) head.add("grpc-accept-encoding", "identity,gzip");
    for (Metadata::Entry e : status_fields(status, Metadata())) head.add(e.name, e.value);
    x.send_head(http, head, true);
  }
};

// Sets the deadline that the call brings, and whether its messages may be packed.
Refusal begin(Context& ctx, std::string_view type, const Metadata& fields, std::optional<Form>& form) {
  Refusal refusal;
  if (!form) {
    refusal.status = Status::unimplemented("messages of content-type " + std::string(type.substr(0, 100)) +
                                           " are not taken; send application/grpc or application/grpc+proto");
    refusal.http = 415;
    form.emplace();
    return refusal;
  }
  if (auto encoding = fields.find("grpc-encoding"); encoding && *encoding != "identity") {
    form->gzip = *encoding == "gzip";
    if (!form->gzip) {
      // PROTOCOL-HTTP2, "Message-Encoding": the caller is told what it may use.
      refusal.status = Status::unimplemented("messages compressed by " + std::string(encoding->substr(0, 50)) +
                                             " are not accepted; only identity and gzip are");
      refusal.tell_encodings = true;
      return refusal;
    }
  }
  if (auto text = fields.find("grpc-timeout")) {
    if (auto timeout = parse_timeout(*text))
      ctx.set_deadline(after(ctx.loop().now(), *timeout));
    else
      refusal.status = Status::internal("grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n");
  }
  return refusal;
}

}  // namespace

bool is_grpc(std::string_view content_type) {
  if (content_type == kType) return true;  // as all of today's clients write it
  const std::string_view start = content_type.substr(0, kType.size());
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (!std::equal(start.begin(), start.end(), kType.begin(), kType.end(),
                  [&](char a, char b) { return lower(a) == b; }))
    return false;
  std::string_view rest = content_type.substr(kType.size());
  return rest.empty() || rest[0] == '+' || rest[0] == ';' || rest[0] == ' ' || rest.starts_with("-web");
}

void answer_unknown(http::Exchange& x, std::string_view content_type) {
  std::string path = x.head().target.substr(0, 200);
  Out(x, false, form_of(content_type).value_or(Form()))
      .finish(Status::unimplemented("no method " + path + " here"), {});
}

Task<void> serve(Context& ctx, http::Exchange& x, std::string_view content_type, const Method& method, Service& service,
                 ServerSettings settings) {
  const Metadata& fields = x.head().fields;
  ctx.set_label(&method.label);
  if (x.head().method != "POST") {
    Metadata allow;
    allow.add("allow", "POST");
    x.send_head(405, allow, true);
    co_return;
  }
  Peer peer(x.peer(), "grpc");
  ctx.put(peer);
  std::optional<Form> form = content_type == kType ? std::optional<Form>(std::in_place) : form_of(content_type);
  Refusal refusal = begin(ctx, content_type, fields, form);
  Result<Metadata> metadata = metadata_of(fields);
  if (refusal.status.is_ok() && !metadata) refusal.status = metadata.error();
  if (!refusal.status.is_ok()) {
    co_await show_refusal(settings.observe, ctx, method, fields, refusal.status);
    refusal.answer(x, *form);
    co_return;
  }
  In in(x, settings.max_message, *form);
  // As the caller does it, if it can take it back.
  if (form->gzip) form->gzip = takes_gzip(fields.find("grpc-accept-encoding").value_or(""));
  Out out(x, method.service_streams, *form);
  Call call(method, std::move(*metadata), in, out);
  Outcome outcome = co_await service.call(ctx, call);
  // Law 8: why the Context was cancelled wins over what the handler made of it.
  out.finish(ctx.cancelled() ? ctx.why() : outcome.status, outcome.trailers);
}

}  // namespace duplex::grpc
