#include "duplex/protocols/http_client.h"

#include "duplex/contract/http_status.h"
#include "protocols/both_ways.h"
#include "protocols/callee.h"
#include "protocols/grpc_wire.h"
#include "protocols/http_fields.h"

namespace duplex::plain {
namespace {

http::Head head_of(const Context& ctx, const Call& call, const std::string& authority) {
  http::Head head;
  head.method = call.metadata.find(":method").value_or("GET");
  head.target = call.metadata.find(":path").value_or("/");
  head.authority = call.metadata.find(":authority").value_or(authority);
  head.scheme = "http";
  if (auto length = call.metadata.find("content-length")) head.fields.add("content-length", *length);
  // What is left now, after the wait for a connection, in the one form that services of all protocols here read.
  if (ctx.deadline() != kNever) head.fields.add("grpc-timeout", grpc::format_timeout(ctx.remaining()));
  add_plain_fields(head.fields, call.metadata);
  return head;
}

void put(http::Exchange& x, const Message& message) { x.send(message.bytes.view()); }
void put_end(http::Exchange& x, const Source& in) { x.send_end(in.trailers()); }

// What a whole answer means to the filters: the statuses by which a server, or what stands before it, says that it
// could not serve are failures. Any other is an answer.
Outcome meaning(const Callee& callee, int http_status, Metadata trailers) {
  const bool failure = http_status == 429 || http_status == 502 || http_status == 503 || http_status == 504;
  Status status;
  if (failure)
    status = callee.failed(contract::code_from_http(http_status), " answered HTTP " + std::to_string(http_status));
  Outcome outcome(std::move(status), std::move(trailers));
  if (http_status >= 400) outcome.http_status = static_cast<int16_t>(http_status);
  return outcome;
}

// The answer, octet by octet as it comes.
Task<Outcome> respond(Context& ctx, const Callee& callee, http::Exchange& x, Sink& out) {
  Outcome headed = co_await callee.wait_head(ctx, x);
  if (!headed.status.is_ok()) co_return headed;
  Metadata head;
  head.add(":status", std::to_string(x.head().status));
  if (auto length = x.head().fields.find("content-length")) head.add("content-length", *length);
  add_plain_fields(head, x.head().fields);
  if (Status s = co_await out.head(ctx, std::move(head)); !s.is_ok()) co_return s;
  for (;;) {
    if (Status s = co_await http::wait_body(ctx, x); !s.is_ok()) {
      if (ctx.cancelled()) co_return s;
      co_return callee.broken(x);
    }
    if (x.body().empty()) co_return meaning(callee, x.head().status, x.trailers());
    Message chunk(x.body().take(), Format::kOpaque);
    const size_t size = chunk.bytes.size();
    if (Status s = co_await out.write(ctx, std::move(chunk)); !s.is_ok()) co_return s;
    x.consumed(size);
  }
}

}  // namespace

Client::Client(http::Pool& pool, ClientSettings settings)
    : callee_(std::make_unique<Callee>(pool, std::move(settings.name), std::move(settings.authority))) {}

Client::~Client() = default;

Task<Outcome> Client::call(Context& ctx, Call& c) {
  auto make_head = [&] { return head_of(ctx, c, callee_->authority()); };
  if (!c.method->caller_streams) {  // one message, or none: no child task
    Result<std::optional<Message>> m = co_await c.in->next(ctx);
    if (!m) co_return Outcome::never_sent(m.error());
    const bool empty = !*m || (**m).bytes.empty();
    Result<http::Pool::Lease> lease = co_await callee_->pool().open(ctx, make_head, empty);
    if (!lease) co_return Outcome::never_sent(lease.error());
    http::Exchange& x = lease->exchange();
    if (!empty) {
      x.send((**m).bytes.view());
      x.send_end(Metadata());
    }
    co_return co_await respond(ctx, *callee_, x, *c.out);
  }
  Result<http::Pool::Lease> lease = co_await callee_->pool().open(ctx, make_head, false);
  if (!lease) co_return Outcome::never_sent(lease.error());
  http::Exchange& x = lease->exchange();
  const auto answer = [&](Context& both) { return respond(both, *callee_, x, *c.out); };
  co_return co_await both_ways(ctx, *c.in, x, put, put_end, answer);
}

}  // namespace duplex::plain
