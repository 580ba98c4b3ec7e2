#include "duplex/protocols/rest_client.h"

#include "duplex/contract/contract.h"
#include "duplex/contract/rest_message.h"
#include "duplex/service/attempt.h"
#include "protocols/callee.h"
#include "protocols/grpc_wire.h"
#include "protocols/http_fields.h"
#include "protocols/rest_reply.h"

namespace duplex::rest {
namespace {

// A request by one of its method's rules.
class Planned {
 public:
  Planned(const contract::HttpRule& r, contract::RestRequest p) : rule(&r), parts(std::move(p)) {}
  const contract::HttpRule* rule;
  contract::RestRequest parts;
};

// Whoever stands between would take such a path for another one (RFC 3986 section 5.2.4), even percent-encoded.
bool has_dot_segment(std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

// By the first rule that the request fits: one whose path has a variable for a field that is empty does not.
Result<Planned> plan(const contract::Method& method, std::string_view request) {
  Status first;
  for (const contract::HttpRule& rule : method.http_rules()) {
    Result<contract::RestRequest> parts = contract::split_request(rule, request);
    if (parts && has_dot_segment(parts->target))
      parts = Status::invalid_argument("a path variable of " + rule.path.text() + " would be the segment `.` or `..`");
    if (parts) return Planned(rule, std::move(*parts));
    if (first.is_ok()) first = parts.error();
  }
  return Status(first.code(), method.path() + ": " + first.message());
}

Status callable(const Method& method, const std::string& callee) {
  if (method.caller_streams)
    return Status::unimplemented(method.name + " takes a stream of messages, which REST has no form for; let peer " +
                                 callee + " speak grpc");
  if (!method.contract || method.contract->http_rules().empty())
    return Status::unimplemented(method.name +
                                 " has no google.api.http rule, so it cannot be called over REST; add "
                                 "one to its .proto, or let peer " +
                                 callee + " speak grpc");
  return {};
}

// Fields that this half writes itself, or that speak of a body which it makes anew.
bool is_ours(std::string_view name) {
  return name == "accept" || name == "accept-encoding" || name == "content-encoding" || name == "content-type" ||
         name == "expect" || name == "user-agent";
}

http::Head head_of(const Context& ctx, const Call& call, const Planned& planned, const std::string& authority) {
  http::Head head;
  const std::string& verb = planned.rule->verb;
  head.method = verb != "*" ? verb : planned.rule->has_body() ? "POST" : "GET";
  head.scheme = "http";
  head.authority = authority;
  head.target = planned.parts.target;
  if (!planned.parts.body.empty()) head.fields.add("content-type", "application/json");
  // Lines before events: they need no more than their octets.
  head.fields.add("accept",
                  call.method->service_streams ? "application/x-ndjson, */*;q=0.1" : "application/json, */*;q=0.1");
  head.fields.add("user-agent", "duplex/0.1");
  // What is left now, after the wait for a connection: each hop's is smaller than the one before.
  if (ctx.deadline() != kNever) head.fields.add("grpc-timeout", grpc::format_timeout(ctx.remaining()));
  Metadata user = plain_fields(call.metadata);
  for (Metadata::Entry e : user)
    if (!is_ours(e.name)) head.fields.add(e.name, e.value);
  if (auto before = call.metadata.find(kPreviousAttempts)) head.fields.add(kPreviousAttempts, *before);
  return head;
}

}  // namespace

Client::Client(http::Pool& pool, ClientSettings settings)
    : callee_(std::make_unique<Callee>(pool, std::move(settings.name), std::move(settings.authority))),
      max_message_(settings.max_message) {}

Client::~Client() = default;

Task<Outcome> Client::call(Context& ctx, Call& c) {
  if (Status s = callable(*c.method, callee_->name()); !s.is_ok()) co_return s;
  Result<std::optional<Message>> m = co_await c.in->next(ctx);
  if (!m) co_return Outcome::never_sent(m.error());
  if (!*m) co_return Status::internal("a call of " + c.method->name + " without a request");
  if ((**m).format != Format::kProto || (**m).codec != Codec::kIdentity)
    co_return Status::internal("a request of " + c.method->name + " that is not plain protobuf");
  // Not "unsent", though it is: another endpoint would get the same request.
  Result<Planned> planned = plan(*c.method->contract, (**m).bytes.view());
  if (!planned) co_return planned.error();
  auto make_head = [&] { return head_of(ctx, c, *planned, callee_->authority()); };
  const Bytes& body = planned->parts.body;
  Result<http::Pool::Lease> lease = co_await callee_->pool().open(ctx, make_head, body.empty());
  if (!lease) co_return Outcome::never_sent(lease.error());
  http::Exchange& x = lease->exchange();
  if (!body.empty()) {
    x.send(body.view());
    x.send_end(Metadata());
  }
  RestReply reply(*callee_, *planned->rule, x, *c.out, max_message_);
  co_return co_await reply.take(ctx);
}

}  // namespace duplex::rest
