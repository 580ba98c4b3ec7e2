#include "protocols/rest_reply.h"

#include <algorithm>

#include "duplex/contract/problem.h"
#include "duplex/contract/rest_message.h"
#include "protocols/http_fields.h"
#include "protocols/whole_body.h"

namespace duplex::rest {
namespace {

constexpr size_t kLongestProblem = 256 * 1024;  // octets

bool is_stream_of_lines(std::string_view type) {
  return is_json(type) || has_type(type, "application/x-ndjson") || has_type(type, "application/ndjson") ||
         has_type(type, "application/jsonl");
}

bool is_encoded(const Metadata& fields) {
  auto encoding = fields.find("content-encoding");
  return encoding && *encoding != "identity";
}

}  // namespace

RestReply::RestReply(const Callee& callee, const contract::HttpRule& rule, http::Exchange& x, Sink& out,
                     size_t max_message)
    : callee_(callee),
      rule_(rule),
      contract_(rule.method->service().contract()),
      x_(x),
      out_(out),
      max_message_(max_message) {}

Task<Outcome> RestReply::take(Context& ctx) {
  Outcome headed = co_await callee_.wait_head(ctx, x_);
  if (!headed.status.is_ok()) co_return headed;
  const http::Head& head = x_.head();
  if (head.status < 200 || head.status > 299) co_return co_await take_failure(ctx);
  if (is_encoded(head.fields)) co_return unexpected_type();
  auto type = head.fields.find("content-type");
  if (!rule_.method->service_streams()) {
    if (type && !is_json(*type)) co_return unexpected_type();
    co_return co_await take_one(ctx);
  }
  if (type && has_type(*type, "text/event-stream")) co_return co_await take_stream(ctx, JsonStream::Form::kEvents);
  if (type && !is_stream_of_lines(*type)) co_return unexpected_type();
  co_return co_await take_stream(ctx, JsonStream::Form::kLines);
}

Status RestReply::unexpected_type() const {
  const Metadata& fields = x_.head().fields;
  std::string type(fields.find("content-type").value_or("no content-type"));
  if (is_encoded(fields)) type += ", encoded as " + std::string(*fields.find("content-encoding"));
  return callee_.failed(Code::kInternal, " answered HTTP " + std::to_string(x_.head().status) + " with " +
                                             type.substr(0, 200) + " where JSON was expected: is it the address of " +
                                             rule_.method->service_name() + "?");
}

Task<Outcome> RestReply::take_failure(Context& ctx) {
  const int http_status = x_.head().status;
  const Metadata& fields = x_.head().fields;
  auto type = fields.find("content-type");
  // Whatever it is, so that the connection can be kept. What breaks or is too long leaves its HTTP status.
  Result<Bytes> whole = co_await read_whole_body(ctx, x_, std::min(max_message_, kLongestProblem));
  if (ctx.cancelled()) co_return ctx.why();
  Bytes body;
  if (whole && type && is_json(*type) && !is_encoded(fields)) body = std::move(*whole);
  Status status = contract::status_from_problem(http_status, body.view(), &contract_);
  const Status bare = contract::status_from_problem(http_status, "");
  if (status.message() == bare.message())  // it told nothing of its own
    status = Status(status.code(), callee_.name() + " answered " + bare.message(), status.details());
  Outcome outcome(std::move(status), plain_fields(fields));
  outcome.http_status = static_cast<int16_t>(http_status);
  co_return outcome;
}

Result<Message> RestReply::message_of(std::string_view json) const {
  Result<Bytes> bytes = contract::assemble_response(rule_, json);
  if (!bytes) return callee_.failed(Code::kInternal, " answered what cannot be read: " + bytes.error().message());
  return Message(std::move(*bytes));
}

Task<Outcome> RestReply::take_one(Context& ctx) {
  Result<Bytes> json = co_await read_whole_body(ctx, x_, max_message_);
  if (!json) {
    if (ctx.cancelled()) co_return ctx.why();
    if (!x_.error().is_ok()) co_return callee_.broken(x_);
    co_return callee_.failed(json.error().code(), ": " + json.error().message());
  }
  Result<Message> message = message_of(json->view());
  if (!message) co_return message.error();
  Metadata fields = plain_fields(x_.head().fields);
  if (Status s = co_await out_.head(ctx, std::move(fields)); !s.is_ok()) co_return s;
  if (Status s = co_await out_.write(ctx, std::move(*message)); !s.is_ok()) co_return s;
  co_return Outcome(Status(), x_.trailers());
}

// One message of a stream, or the failure that ends it.
Task<Outcome> RestReply::pass(Context& ctx, JsonStream::Item item) {
  if (item.failure) co_return contract::status_from_problem(500, item.text, &contract_);
  if (auto failure = contract::status_from_error_line(item.text, &contract_)) co_return *failure;
  Result<Message> message = message_of(item.text);
  if (!message) co_return message.error();
  co_return co_await out_.write(ctx, std::move(*message));
}

Task<Outcome> RestReply::take_stream(Context& ctx, JsonStream::Form form) {
  Metadata fields = plain_fields(x_.head().fields);
  if (Status s = co_await out_.head(ctx, std::move(fields)); !s.is_ok()) co_return s;
  JsonStream stream(form, max_message_);
  for (bool ended = false; !ended;) {
    if (Status s = co_await http::wait_body(ctx, x_); !s.is_ok()) {
      if (ctx.cancelled()) co_return s;
      co_return callee_.broken(x_);
    }
    const size_t arrived = x_.body().size();
    stream.feed(x_.body().view());
    x_.body().clear();
    ended = x_.ended();
    for (;;) {
      Result<std::optional<JsonStream::Item>> item = stream.next();
      if (item && !*item && ended) item = stream.finish();
      if (!item) co_return callee_.failed(item.error().code(), ": " + item.error().message());
      if (!*item) break;
      Outcome passed = co_await pass(ctx, **item);
      if (!passed.status.is_ok()) co_return passed;
    }
    x_.consumed(arrived);
  }
  co_return Outcome(Status(), x_.trailers());
}

}  // namespace duplex::rest
