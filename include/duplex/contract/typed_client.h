// The caller's half of typed.h: what generated clients stand on.
//
// A unary call is a function. A stream is a function too, and takes a body: code that reads and writes while the call
// runs, and ends before the call does:
//
//   Status s = co_await orders.watch(ctx, request, [&](Context& c, Reader<Event>& events) -> Task<Status> {
//     while (auto event = co_await events.next(c)) {
//       if (!*event) break;       // the service has finished
//       show(**event);
//     }
//     co_return Status::ok();     // before the end: cancels the call, and is OK all the same
//   });
//
// The body's error wins, else the call's status. One exception: a body that ends because the call has ended under its
// hands (a write said CANCELLED) did not fail by itself, so the call's status counts.
//
// g++ 12 destroys a lambda that stands in a co_await expression and captures by value twice. Capture by reference,
// which is safe here (the body never outlives the co_await), or give the lambda a name first.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "duplex/base/time.h"
#include "duplex/contract/typed.h"

namespace duplex {

class CallOptions {
 public:
  CallOptions() = default;
  explicit CallOptions(Duration within) : deadline(within) {}
  explicit CallOptions(Metadata md) : metadata(std::move(md)) {}

  std::optional<Duration> deadline;  // from now; the Context's own, if it is sooner
  Metadata metadata;
  Reply* reply = nullptr;  // not null: filled with the head and trailers of the answer, whatever its status
};

template <class Out>
using ReadBody = std::function<Task<Status>(Context&, Reader<Out>&)>;
template <class In>
using WriteBody = std::function<Task<Status>(Context&, Writer<In>&)>;
template <class Out, class In>
using TalkBody = std::function<Task<Status>(Context&, Reader<Out>&, Writer<In>&)>;

namespace detail {

using StreamBody = std::function<Task<Status>(Context&)>;

// One call whose one reply message is handed over as bytes.
Task<Result<Message>> call_for_one(Service& service, const Method& method, Context& ctx, Result<Message> request,
                                   CallOptions options);
// Runs the call and the body side by side. `requests` and `replies`: the same as `in` and `out` if they are pipes to
// the body, else null.
Task<Status> call_beside(Service& service, const Method& method, Context& ctx, CallOptions options, Source& in,
                         Sink& out, Pipe* requests, Pipe* replies, StreamBody body);

template <class Out>
Result<Out> one_reply(const Keep& kept) {
  if (kept.count != 1)
    return cardinality(kept.count == 0 ? "no reply message came where the method gives exactly one"
                                       : "several reply messages came where the method gives exactly one");
  return parse_message<Out>(*kept.message, Side::kClient);
}

template <class Out>
Task<Result<Out>> unary_message(Service& service, const Method& method, Context& ctx, Result<Message> request,
                                CallOptions options) {
  Result<Message> message = co_await call_for_one(service, method, ctx, std::move(request), std::move(options));
  if (!message) co_return message.error();
  co_return parse_message<Out>(*message, Side::kClient);
}

template <class Out>
Task<Status> read_stream(Service& service, const Method& method, Context& ctx, Result<Message> request,
                         ReadBody<Out> body, CallOptions options) {
  if (!request) co_return request.error();
  One in(std::move(*request));
  Pipe replies;
  Reader<Out> reader(replies, Side::kClient);
  StreamBody run([&](Context& c) { return body(c, reader); });
  co_return co_await call_beside(service, method, ctx, std::move(options), in, replies, nullptr, &replies,
                                 std::move(run));
}

}  // namespace detail

// The request is serialized before each of these returns. `service` and `method` outlive the call.

template <class Out, class In>
Task<Result<Out>> unary(Service& service, const Method& method, Context& ctx, const In& request,
                        CallOptions options = CallOptions()) {
  return detail::unary_message<Out>(service, method, ctx, make_message(request), std::move(options));
}

template <class Out, class In>
Task<Status> server_stream(Service& service, const Method& method, Context& ctx, const In& request, ReadBody<Out> body,
                           CallOptions options = CallOptions()) {
  return detail::read_stream<Out>(service, method, ctx, make_message(request), std::move(body), std::move(options));
}

// The end of the body, if it is OK, tells the service that no message follows; then its reply is waited for.
template <class In, class Out>
Task<Result<Out>> client_stream(Service& service, const Method& method, Context& ctx, WriteBody<In> body,
                                CallOptions options = CallOptions()) {
  Pipe requests;
  Keep kept;
  Writer<In> writer(requests);
  detail::StreamBody run([&](Context& c) { return body(c, writer); });
  Reply* answer = options.reply;
  Status status = co_await detail::call_beside(service, method, ctx, std::move(options), requests, kept, &requests,
                                               nullptr, std::move(run));
  if (answer) answer->head = kept.metadata;
  if (!status.is_ok()) co_return status;
  co_return detail::one_reply<Out>(kept);
}

template <class In, class Out>
Task<Status> bidi_stream(Service& service, const Method& method, Context& ctx, TalkBody<Out, In> body,
                         CallOptions options = CallOptions()) {
  Pipe requests, replies;
  Reader<Out> reader(replies, Side::kClient);
  Writer<In> writer(requests);
  detail::StreamBody run([&](Context& c) { return body(c, reader, writer); });
  co_return co_await detail::call_beside(service, method, ctx, std::move(options), requests, replies, &requests,
                                         &replies, std::move(run));
}

}  // namespace duplex
