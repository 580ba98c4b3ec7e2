#include "duplex/protocols/http_server.h"

#include <charconv>

#include "duplex/protocols/rest_server.h"
#include "protocols/grpc_wire.h"
#include "protocols/http_fields.h"

namespace duplex::plain {
namespace {

class In final : public Source {
 public:
  explicit In(http::Exchange& x) : x_(x) {}
  Task<Result<std::optional<Message>>> next(Context& ctx) override {
    if (Status s = co_await http::wait_body(ctx, x_); !s.is_ok()) co_return s;
    if (x_.body().empty()) co_return std::optional<Message>();
    Bytes chunk = x_.body().take();
    x_.consumed(chunk.size());
    co_return std::optional<Message>(Message(std::move(chunk), Format::kOpaque));
  }
  const Metadata& trailers() const override { return x_.trailers(); }

 private:
  http::Exchange& x_;
};

class Out final : public Sink {
 public:
  explicit Out(http::Exchange& x) : x_(x) {}

  Task<Status> head(Context& ctx, Metadata metadata) override {
    if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
    if (x_.head_sent()) return Task<Status>::ready(Status::internal("a second head"));
    send_head(metadata, false);
    return Task<Status>::ready(Status());
  }
  Task<Status> write(Context& ctx, Message message) override {
    if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
    if (x_.unsent_octets() >= http::kUnsentLimit) return write_later(ctx, std::move(message));
    put(message);
    return Task<Status>::ready(x_.error());
  }
  Task<Status> interim(Context&, Metadata metadata) override {
    auto status = metadata.find(":status").value_or("103");
    int number = 103;
    std::from_chars(status.data(), status.data() + status.size(), number);
    x_.send_interim(number, plain_fields(metadata));
    return Task<Status>::ready(x_.error());
  }

  void finish(const Status& status, int answered, const Metadata& trailers) {
    if (!x_.error().is_ok()) return;
    // A peer's failure that was passed on whole is our answer, too.
    if (!status.is_ok() && (!x_.head_sent() || answered != status_)) {
      if (!x_.head_sent()) return rest::answer_problem(x_, status, 0, plain_fields(trailers));
      return x_.reset(http::Reset::kInternalError);  // the reader must not take the part for the whole
    }
    if (!x_.head_sent()) return send_head(trailers, true);
    x_.send_end(plain_fields(trailers));
  }

 private:
  Task<Status> write_later(Context& ctx, Message message) {
    if (Status s = co_await http::wait_room(ctx, x_); !s.is_ok()) co_return s;
    put(message);
    co_return x_.error();
  }
  void send_head(const Metadata& user, bool end) {
    int number = 200;
    if (auto status = user.find(":status")) std::from_chars(status->data(), status->data() + status->size(), number);
    Metadata fields;
    if (auto length = user.find("content-length"))
      fields.add("content-length", *length);
    else if (end && number != 204 && number != 304)
      fields.add("content-length", "0");
    add_plain_fields(fields, user);
    status_ = number;
    x_.send_head(number, fields, end);
  }
  void put(const Message& message) {
    if (!x_.head_sent()) send_head(Metadata(), false);
    x_.send(message.bytes.view());
  }
  http::Exchange& x_;
  int status_ = 0;  // of the head that has left
};

}  // namespace

Task<void> serve(Context& ctx, http::Exchange& x, const Method& method, Service& service, Metadata variables) {
  ctx.set_label(&method.label);
  Metadata metadata;
  metadata.add(":method", x.head().method);
  metadata.add(":path", x.head().target);
  metadata.add(":authority", x.head().authority);
  for (Metadata::Entry e : variables) metadata.add(e.name, e.value);
  for (Metadata::Entry e : x.head().fields) metadata.add(e.name, e.value);
  // A caller that says how long it waits; what is no such time is somebody else's field.
  if (auto text = x.head().fields.find("grpc-timeout"))
    if (auto timeout = grpc::parse_timeout(*text)) ctx.set_deadline(after(ctx.loop().now(), *timeout));
  Peer peer(x.peer(), "http");
  ctx.put(peer);
  In in(x);
  Out out(x);
  Call call(method, std::move(metadata), in, out);
  Outcome outcome = co_await service.call(ctx, call);
  // Law 8: why the Context was cancelled wins over what the handler made of it.
  if (ctx.cancelled())
    out.finish(ctx.why(), 0, outcome.trailers);
  else
    out.finish(outcome.status, outcome.http_status, outcome.trailers);
}

}  // namespace duplex::plain
