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

OneResult first_of(NextResult& first) {
  if (!first) return first.error();
  if (!*first) return cardinality("no request message came where the method takes exactly one");
  return std::move(**first);
}

OneResult alone(Message message, const NextResult& second) {
  if (!second) return second.error();
  if (*second) return cardinality("a second request message came where the method takes exactly one");
  return message;
}

Task<OneResult> alone_later(Message message, Task<NextResult> second_task) {
  NextResult second = co_await std::move(second_task);
  co_return alone(std::move(message), second);
}

Task<OneResult> first_later(Context& ctx, Source& in, Task<NextResult> first_task) {
  NextResult first = co_await std::move(first_task);
  OneResult message = first_of(first);
  if (!message) co_return message;
  NextResult second = co_await in.next(ctx);
  co_return alone(std::move(*message), second);
}

}  // namespace

Task<OneResult> one_message(Context& ctx, Call& call) {
  Task<NextResult> first_task = call.in->next(ctx);
  if (!first_task.has_value()) return first_later(ctx, *call.in, std::move(first_task));
  NextResult first = take_ready(first_task);
  OneResult message = first_of(first);
  if (!message) return Task<OneResult>::ready(std::move(message));
  Task<NextResult> second_task = call.in->next(ctx);
  if (!second_task.has_value()) return alone_later(std::move(*message), std::move(second_task));
  const NextResult second = take_ready(second_task);
  return Task<OneResult>::ready(alone(std::move(*message), second));
}

}  // namespace detail

}  // namespace duplex
