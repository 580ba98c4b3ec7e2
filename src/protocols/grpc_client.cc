#include "duplex/protocols/grpc_client.h"

#include "duplex/contract/http_status.h"
#include "duplex/protocols/grpc_server.h"
#include "duplex/service/attempt.h"
#include "protocols/both_ways.h"
#include "protocols/grpc_wire.h"
#include "protocols/gzip.h"

namespace duplex::grpc {
namespace {

void put(http::Exchange& x, const Message& message) {
  char prefix[5];
  frame_prefix(prefix, message.bytes.size());
  x.send({prefix, sizeof prefix});
  x.send(message.bytes.view());
}

void put_packed(http::Exchange& x, const Message& message) {
  Buffer frame;
  append_frame(frame, Form(), 1, gzip(message.bytes.view()).view());
  x.send(frame.view());
}

void put_end(http::Exchange& x, const Source&) { x.send_end(Metadata()); }

}  // namespace

Client::Client(http::Pool& pool, ClientSettings settings)
    : pool_(pool), settings_([&] {
        if (settings.authority.empty())
          settings.authority =
              pool.endpoint().kind() == Address::Kind::kUnix ? "localhost" : pool.endpoint().to_string();
        return std::move(settings);
      }()) {}

http::Head Client::head(const Context& ctx, const Call& call) const {
  static const Metadata kFields = Metadata::constant({{"content-type", "application/grpc"},
                                                      {"te", "trailers"},
                                                      {"user-agent", "duplex/0.1"},
                                                      {"grpc-accept-encoding", "identity,gzip"}});
  static const Metadata kPacked = Metadata::constant({{"content-type", "application/grpc"},
                                                      {"te", "trailers"},
                                                      {"user-agent", "duplex/0.1"},
                                                      {"grpc-accept-encoding", "identity,gzip"},
                                                      {"grpc-encoding", "gzip"}});
  http::Head head;
  head.method = "POST";
  head.scheme = "http";
  head.authority = settings_.authority;
  head.target = call.method->name;
  head.fields = settings_.gzip ? kPacked : kFields;
  // What is left now, after the wait for a connection: each hop's is smaller than the one before.
  if (ctx.deadline() != kNever) head.fields.add("grpc-timeout", format_timeout(ctx.remaining()));
  add_user_fields(head.fields, call.metadata);
  if (auto before = call.metadata.find(kPreviousAttempts)) head.fields.add(kPreviousAttempts, *before);
  return head;
}

Outcome Client::broken(http::Exchange& x) const {
  const Status& e = x.error();
  Status status(e.code(), settings_.name + " (" + pool_.endpoint().to_string() + "): " + e.message());
  return x.unsent() ? Outcome::never_sent(std::move(status)) : Outcome(std::move(status));
}

Task<Outcome> Client::respond(Context& ctx, http::Exchange& x, Sink& out) const {
  while (!x.has_head()) {
    if (!x.error().is_ok()) co_return broken(x);
    if (Status s = co_await x.arrived().wait(ctx); !s.is_ok()) co_return s;
  }
  const http::Head& head = x.head();
  auto type = head.fields.find("content-type");
  std::optional<Status> early = status_of(head.fields);
  if (!early && (head.status != 200 || !type || !is_grpc(*type))) {
    std::string what = "HTTP status " + std::to_string(head.status) +
                       (type && is_grpc(*type) ? "" : ", content-type " + std::string(type.value_or("none")));
    Outcome outcome(Status(contract::code_without_grpc_status(head.status),
                           settings_.name + " (" + pool_.endpoint().to_string() + ") is no gRPC server: " + what));
    if (head.status >= 400) outcome.http_status = static_cast<int16_t>(head.status);
    if (auto when = head.fields.find("retry-after")) outcome.trailers.add("retry-after", *when);
    co_return outcome;
  }
  Result<Metadata> metadata = metadata_of(head.fields);
  if (!metadata) co_return metadata.error();
  if (early) co_return Outcome(*early, std::move(*metadata));  // trailers only: no head
  if (Status s = co_await out.head(ctx, std::move(*metadata)); !s.is_ok()) co_return s;

  Form form;
  form.gzip = x.head().fields.find("grpc-encoding").value_or("") == "gzip";
  Deframer frames(x, settings_.max_message, "reply", form);
  for (;;) {
    Result<std::optional<Message>> m = frames.poll();
    if (!m) co_return m.error();
    if (*m) {
      if (Status s = co_await out.write(ctx, std::move(**m)); !s.is_ok()) co_return s;
      continue;
    }
    if (frames.at_end()) break;
    if (x.ended()) co_return Status::internal("the reply ends within a message");
    if (!x.error().is_ok()) co_return broken(x);
    if (Status s = co_await x.arrived().wait(ctx); !s.is_ok()) co_return s;
  }
  std::optional<Status> status = status_of(x.trailers());
  Result<Metadata> trailers = metadata_of(x.trailers());
  if (!trailers) co_return trailers.error();
  if (!status) co_return Status::unknown(settings_.name + " ended the call without a grpc-status");
  co_return Outcome(std::move(*status), std::move(*trailers));
}

Task<Outcome> Client::call(Context& ctx, Call& c) {
  auto make_head = [&] { return head(ctx, c); };
  if (!c.method->caller_streams) {  // one message: no child task
    Result<std::optional<Message>> m = co_await c.in->next(ctx);
    if (!m) co_return Outcome::never_sent(m.error());
    if (!*m) co_return Outcome::never_sent(Status::internal("a call of " + c.method->name + " without a request"));
    Result<http::Pool::Lease> lease = co_await pool_.open(ctx, make_head, false);
    if (!lease) co_return Outcome::never_sent(lease.error());
    (settings_.gzip ? put_packed : put)(lease->exchange(), **m);
    lease->exchange().send_end(Metadata());
    co_return co_await respond(ctx, lease->exchange(), *c.out);
  }
  Result<http::Pool::Lease> lease = co_await pool_.open(ctx, make_head, false);
  if (!lease) co_return Outcome::never_sent(lease.error());
  http::Exchange& x = lease->exchange();
  const auto answer = [&](Context& both) { return respond(both, x, *c.out); };
  co_return co_await both_ways(ctx, *c.in, x, settings_.gzip ? put_packed : put, put_end, answer);
}

}  // namespace duplex::grpc
