#include "duplex/protocols/rest_server.h"

#include "duplex/contract/contract.h"
#include "duplex/contract/http_status.h"
#include "duplex/contract/problem.h"
#include "duplex/contract/rest_message.h"
#include "duplex/service/pipe.h"
#include "protocols/grpc_wire.h"
#include "protocols/http_fields.h"
#include "protocols/refusal.h"
#include "protocols/whole_body.h"

namespace duplex::rest {
namespace {

constexpr std::string_view kJson = "application/json", kSse = "text/event-stream", kNdjson = "application/x-ndjson";

// Replies as they come: SSE or NDJSON.
class StreamOut final : public Sink {
 public:
  StreamOut(http::Exchange& x, const contract::HttpRule& rule, bool sse) : x_(x), rule_(rule), sse_(sse) {}

  Task<Status> head(Context& ctx, Metadata metadata) override {
    if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
    send_head(metadata);
    return Task<Status>::ready(Status());
  }

  Task<Status> write(Context& ctx, Message message) override {
    if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
    if (x_.unsent_octets() >= http::kUnsentLimit) return write_later(ctx, std::move(message));
    return Task<Status>::ready(put(message));
  }

  void finish(const Status& status, const Metadata& trailers, int refused_with) {
    if (!x_.error().is_ok()) return;
    const contract::Contract& contract = rule_.method->service().contract();
    if (!x_.head_sent() && !status.is_ok())
      return answer_problem(x_, status, refused_with, plain_fields(trailers), &contract);
    if (!x_.head_sent()) send_head(Metadata());
    if (!status.is_ok()) {
      std::string problem = contract::problem_json(status, &contract);
      x_.send(sse_ ? "event: error\ndata: " + problem + "\n\n" : "{\"error\":" + problem + "}\n");
    }
    x_.send_end(Metadata());
  }

 private:
  Task<Status> write_later(Context& ctx, Message message) {
    if (Status s = co_await http::wait_room(ctx, x_); !s.is_ok()) co_return s;
    co_return put(message);
  }
  void send_head(const Metadata& user) {
    Metadata fields;
    fields.add("content-type", sse_ ? kSse : kNdjson);
    fields.add("cache-control", "no-cache");
    add_plain_fields(fields, user);
    x_.send_head(200, fields, false);
  }
  Status put(const Message& message) {
    Result<Bytes> json = contract::render_response(rule_, message.bytes.view());
    if (!json) return json.error();
    if (!x_.head_sent()) send_head(Metadata());
    if (sse_) x_.send("data: ");
    x_.send(json->view());
    x_.send(sse_ ? "\n\n" : "\n");
    return x_.error();
  }
  http::Exchange& x_;
  const contract::HttpRule& rule_;
  const bool sse_;
};

// The request message, made of path, query and body when it is asked for: a call that a filter refuses costs no more
// than its head.
class In final : public Source {
 public:
  In(http::Exchange& x, const contract::HttpRule& rule, const contract::Captures& captures, size_t max_message)
      : x_(x), rule_(rule), captures_(captures), max_message_(max_message) {}

  Task<NextResult> next(Context& ctx) override {
    if (taken_) return Task<NextResult>::ready(std::optional<Message>());
    if (!failure_.is_ok()) return Task<NextResult>::ready(failure_);
    return read(ctx);
  }

  // By which HTTP status a call is refused that ended with `status`; 0: that of its code.
  int refused_with(const Status& status) const {
    const bool is_own = status.code() == failure_.code() && status.message() == failure_.message();
    return is_own ? refused_with_ : 0;
  }

 private:
  Task<NextResult> read(Context& ctx) {
    Result<Bytes> body = co_await read_whole_body(ctx, x_, max_message_, so_far_);
    if (!body && ctx.cancelled()) co_return body.error();
    Result<Bytes> message = body ? assemble(*body) : Result<Bytes>(body.error());
    if (!body && body.error().code() == Code::kResourceExhausted) refused_with_ = 413;
    if (!message) {
      failure_ = message.error();
      co_return failure_;
    }
    taken_ = true;
    co_return std::optional<Message>(Message(std::move(*message)));
  }

  Result<Bytes> assemble(const Bytes& body) {
    const http::Head& head = x_.head();
    auto type = head.fields.find("content-type");
    if (!body.empty() && type && !is_json(*type)) {
      refused_with_ = 415;
      return Status::invalid_argument("the body is " + std::string(type->substr(0, 100)) + "; send application/json");
    }
    std::string_view target = head.target;
    size_t question = target.find('?');
    std::string_view query = question == target.npos ? std::string_view() : target.substr(question + 1);
    return contract::assemble_request(rule_, captures_, query, body.view());
  }

  http::Exchange& x_;
  const contract::HttpRule& rule_;
  const contract::Captures& captures_;
  const size_t max_message_;
  Buffer so_far_;
  bool taken_ = false;
  Status failure_;  // of the request itself
  int refused_with_ = 0;
};

void answer_one(http::Exchange& x, const contract::HttpRule& rule, const In& in, const Keep& kept,
                const Outcome& outcome) {
  const contract::Contract& contract = rule.method->service().contract();
  if (!x.error().is_ok()) return;
  if (!outcome.status.is_ok())
    return answer_problem(x, outcome.status, in.refused_with(outcome.status), plain_fields(outcome.trailers),
                          &contract);
  Result<Bytes> json = kept.message ? contract::render_response(rule, kept.message->bytes.view())
                                    : Result<Bytes>(Status::internal("the handler gave no reply"));
  if (!json) return answer_problem(x, json.error(), 0, {}, &contract);
  Metadata fields;
  fields.add("content-type", kJson);
  fields.add("content-length", std::to_string(json->size()));
  add_plain_fields(fields, kept.metadata);
  add_plain_fields(fields, outcome.trailers);
  x.send_head(200, fields, json->empty());
  if (json->empty()) return;
  x.send(json->view());
  x.send_end(Metadata());
}

// The caller's, else the server's own for calls that are not meant to last.
Status set_deadline(Context& ctx, const Metadata& fields, const Method& method, Duration otherwise) {
  if (auto text = fields.find("grpc-timeout")) {
    auto timeout = grpc::parse_timeout(*text);
    if (!timeout) return Status::invalid_argument("grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n");
    ctx.set_deadline(after(ctx.loop().now(), *timeout));
  } else if (!method.service_streams && otherwise > Duration::zero()) {
    ctx.set_deadline(after(ctx.loop().now(), otherwise));
  }
  return {};
}

}  // namespace

void answer_problem(http::Exchange& x, const Status& status, int http_status, const Metadata& fields,
                    const contract::Contract* contract) {
  if (x.head_sent() || !x.error().is_ok()) return;
  int code = http_status ? http_status : contract::http_status(status.code());
  std::string body = contract::problem_json(status, contract, code);
  Metadata head;
  head.add("content-type", contract::kProblemType);
  head.add("content-length", std::to_string(body.size()));
  for (Metadata::Entry e : fields) head.add(e.name, e.value);
  x.send_head(code, head, false);
  x.send(body);
  x.send_end(Metadata());
}

Task<void> serve(Context& ctx, http::Exchange& x, const contract::HttpRule& rule, contract::Captures captures,
                 const Method& method, Service& service, ServerSettings settings) {
  ctx.set_label(&method.label);
  const http::Head& head = x.head();
  const contract::Contract* contract = &rule.method->service().contract();
  Peer peer(x.peer(), "rest");
  ctx.put(peer);
  Status refused = method.caller_streams
                       ? Status::unimplemented(method.name + " takes a stream of messages; call it over gRPC")
                       : set_deadline(ctx, head.fields, method, settings.timeout);
  if (!refused.is_ok()) {
    co_await show_refusal(settings.observe, ctx, method, head.fields, refused);
    answer_problem(x, refused, 0, {}, contract);
    co_return;
  }
  In in(x, rule, captures, settings.max_message);
  if (method.service_streams) {
    auto accept = head.fields.find("accept");
    StreamOut out(x, rule, accept && accept->find(kSse) != accept->npos);
    Call call(method, head.fields, in, out);
    Outcome outcome = co_await service.call(ctx, call);
    if (ctx.cancelled()) outcome.status = ctx.why();  // law 8
    out.finish(outcome.status, outcome.trailers, in.refused_with(outcome.status));
    co_return;
  }
  Keep kept;
  Call call(method, head.fields, in, kept);
  Outcome outcome = co_await service.call(ctx, call);
  if (ctx.cancelled()) outcome.status = ctx.why();  // law 8
  answer_one(x, rule, in, kept, outcome);
}

}  // namespace duplex::rest
