#include "duplex/contract/typed_client.h"

#include "duplex/runtime/scope.h"

namespace duplex::detail {

namespace {

void limit(Context& ctx, const CallOptions& options) {
  if (options.deadline) ctx.set_deadline(after(ctx.loop().now(), *options.deadline));
}

}  // namespace

Task<Result<Message>> call_for_one(Service& service, const Method& method, Context& parent, Result<Message> request,
                                   CallOptions options) {
  if (!request) co_return request.error();
  Context ctx(parent);
  limit(ctx, options);
  One in(std::move(*request));
  Keep out;
  Call call(method, std::move(options.metadata), in, out);
  Outcome outcome = co_await service.call(ctx, call);
  if (options.reply) {
    options.reply->head = std::move(out.metadata);
    options.reply->trailers = std::move(outcome.trailers);
  }
  if (!outcome.status.is_ok()) co_return outcome.status;
  if (out.count == 0) co_return cardinality("no reply message came where the method gives exactly one");
  if (out.count > 1) co_return cardinality("several reply messages came where the method gives exactly one");
  co_return std::move(*out.message);
}

Task<Status> call_beside(Service& service, const Method& method, Context& parent, CallOptions options, Source& in,
                         Sink& out, Pipe* requests, Pipe* replies, StreamBody body) {
  Context ctx(parent);
  limit(ctx, options);
  Call call(method, std::move(options.metadata), in, out);
  Outcome outcome(Status::internal("the call ended with an exception"));  // unless it ends without
  bool over = false;

  Context call_ctx(ctx);  // of its own: it can be cancelled while the body's goes on
  Scope scope(call_ctx);
  const auto finished = [&] {
    over = true;
    if (requests) requests->abandon();
    if (replies) replies->close(outcome.status, outcome.trailers);
  };
  const auto run_call = [&](Context& child) -> Task<void> {
    struct AtEnd {
      decltype(finished)& f;
      ~AtEnd() { f(); }
    } at_end{finished};  // an exception must not leave the body waiting
    Outcome ended = co_await service.call(child, call);
    outcome = std::move(ended);
  };
  scope.spawn([&](Context& child) { return run_call(child); });

  Status said;
  std::exception_ptr thrown;
  try {
    said = co_await body(ctx);
  } catch (...) {
    thrown = std::current_exception();
  }
  // What the body says of its own. The CANCELLED of a write whose call has ended is not its own.
  const bool failed = thrown || (!said.is_ok() && !(over && said.code() == Code::kCancelled));
  const bool early = !over && (failed || replies);
  if (requests) requests->close();
  if (early) {
    if (replies) replies->abandon();
    call_ctx.cancel(failed ? Status::cancelled("the caller's own part of the stream failed")
                           : Status::cancelled("the caller has read enough"));
  }
  co_await scope.join();
  if (options.reply) {
    options.reply->trailers = outcome.trailers;
    if (replies) options.reply->head = replies->metadata();
  }
  if (thrown) std::rethrow_exception(thrown);
  if (failed) co_return said;
  co_return early ? Status::ok() : outcome.status;
}

}  // namespace duplex::detail
