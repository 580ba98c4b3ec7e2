#include "duplex/contract/typed.h"

namespace duplex {

Task<Outcome> unknown_method(const Call& call) {
  return Task<Outcome>::ready(Outcome(Status::unimplemented("this service has no method " + call.method->name)));
}

namespace detail {

Status unreadable(const Message& message, Side side, const std::string& type) {
  if (message.format != Format::kProto || message.codec != Codec::kIdentity)
    return Status::internal(
        "a " + type + " came compressed or in another format than protobuf: a filter that decodes " + "it is missing");
  std::string text = "malformed bytes where a " + type + " was wanted";
  return side == Side::kServer ? Status::invalid_argument(std::move(text)) : Status::internal(std::move(text));
}

Status cardinality(std::string_view what) { return Status::unimplemented(std::string(what)); }

namespace {

using OneResult = Result<Message>;

// Why `first` gives no message.
Status missing(const NextResult& first) {
  return first ? cardinality("no request message came where the method takes exactly one") : first.error();
}

// OK where nothing followed the message.
Status not_alone(const NextResult& second) {
  if (!second) return second.error();
  return *second ? cardinality("a second request message came where the method takes exactly one") : Status();
}

Task<OneResult> alone_later(Message message, Task<NextResult> second_task) {
  NextResult second = co_await std::move(second_task);
  if (Status s = not_alone(second); !s.is_ok()) co_return s;
  co_return message;
}

Task<OneResult> first_later(Context& ctx, Source& in, Task<NextResult> first_task) {
  NextResult first = co_await std::move(first_task);
  if (!first || !*first) co_return missing(first);
  NextResult second = co_await in.next(ctx);
  if (Status s = not_alone(second); !s.is_ok()) co_return s;
  co_return std::move(**first);
}

}  // namespace

// The message is moved once, from the Task of the Source into the one that is returned.
Task<OneResult> one_message(Context& ctx, Call& call) {
  Task<NextResult> first_task = call.in->next(ctx);
  if (!first_task.has_value()) return first_later(ctx, *call.in, std::move(first_task));
  NextResult& first = ready_value(first_task);
  if (!first || !*first) return Task<OneResult>::ready(missing(first));
  Task<NextResult> second_task = call.in->next(ctx);
  if (!second_task.has_value()) return alone_later(std::move(**first), std::move(second_task));
  if (Status s = not_alone(ready_value(second_task)); !s.is_ok()) return Task<OneResult>::ready(std::move(s));
  return Task<OneResult>::ready(std::move(**first));
}

}  // namespace detail

}  // namespace duplex
