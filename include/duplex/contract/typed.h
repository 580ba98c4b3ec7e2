// From messages as bytes to messages as classes: what generated services stand on, and what a handler reads and writes.
//
// T is a generated protobuf class. Everything here is a template over it, so this header needs none of protobuf's.
#pragma once

#include <climits>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"
#include "duplex/service/pipe.h"
#include "duplex/service/service.h"

namespace duplex {

// Which half reads: a malformed message is the caller's fault (INVALID_ARGUMENT) to a server, and INTERNAL to a client.
enum class Side : uint8_t { kServer, kClient };

namespace detail {

// Why a message cannot be parsed, in words that both halves share.
Status unreadable(const Message& message, Side side, const std::string& type);
Status cardinality(std::string_view what);  // UNIMPLEMENTED, as gRPC says for one too few and one too many

// The value of a Task that has it without running: no coroutine is needed to get it.
template <class T>
T& ready_value(Task<T>& task) {
  return task.in_place().await_resume();
}

}  // namespace detail

template <class T>
Result<T> parse_message(const Message& message, Side side) {
  T value;
  if (message.format != Format::kProto || message.codec != Codec::kIdentity || message.bytes.size() > INT_MAX ||
      !value.ParseFromArray(message.bytes.data(), static_cast<int>(message.bytes.size())))
    return detail::unreadable(message, side, value.GetTypeName());
  return value;
}

// Error: INTERNAL: 2 GiB or more, or (proto2) a required field is not set.
template <class T>
Result<Message> make_message(const T& value) {
  const size_t size = value.ByteSizeLong();
  if (size == 0 && value.IsInitialized()) return Message();
  if (size > INT_MAX || !value.IsInitialized())
    return Status::internal(
        "a " + value.GetTypeName() + " cannot be sent: " +
        (size > INT_MAX ? "it has 2 GiB or more" : "not set: " + value.InitializationErrorString()));
  Buffer buffer(size);
  auto* at = reinterpret_cast<uint8_t*>(buffer.extend(size));
  if (value.SerializeWithCachedSizesToArray(at) != at + size)  // the sizes are those of ByteSizeLong() above
    return Status::internal("a " + value.GetTypeName() + " cannot be serialized");
  return Message(buffer.take());
}

// Reads messages one by one.
template <class T>
class Reader {
 public:
  explicit Reader(Source& in, Side side = Side::kServer) : in_(in), side_(side) {}

  // nullopt: the other side has finished. An error: why the call is over, or that a message is malformed.
  Task<Result<std::optional<T>>> next(Context& ctx) {
    auto message = in_.next(ctx);
    if (!message.has_value()) return later(std::move(message), side_);
    return Task<Result<std::optional<T>>>::ready(parse(std::move(detail::ready_value(message)), side_));
  }
  // What came after the last message; empty before nullopt.
  const Metadata& trailers() const { return in_.trailers(); }

 private:
  static Result<std::optional<T>> parse(NextResult message, Side side) {
    if (!message) return message.error();
    if (!*message) return std::optional<T>();
    Result<T> value = parse_message<T>(**message, side);
    if (!value) return value.error();
    return std::optional<T>(std::move(*value));
  }
  static Task<Result<std::optional<T>>> later(Task<NextResult> message, Side side) {
    co_return parse(co_await std::move(message), side);
  }

  Source& in_;
  const Side side_;
};

// Writes messages one by one.
template <class T>
class Writer {
 public:
  explicit Writer(Sink& out) : out_(out) {}
  explicit Writer(Pipe& requests) : out_(requests), requests_(&requests) {}

  // Returns when there is room for more. Not OK: nobody reads any more; stop. `value` is read before this returns.
  Task<Status> write(Context& ctx, const T& value) {
    Result<Message> message = make_message(value);
    if (!message) return Task<Status>::ready(message.error());
    return out_.write(ctx, std::move(*message));
  }
  // The metadata before the first message; at most once, and implied by the first write.
  Task<Status> head(Context& ctx, Metadata metadata) { return out_.head(ctx, std::move(metadata)); }
  // In a client's body: no message follows, and the service may finish. Implied by the end of the body. Nothing in a
  // handler, which finishes by returning.
  void finish() {
    if (requests_) requests_->close();
  }

 private:
  Sink& out_;
  Pipe* requests_ = nullptr;
};

namespace detail {

// The one request of a call, as bytes. No coroutine frame if it is there already. Errors as one()'s.
Task<Result<Message>> one_message(Context& ctx, Call& call);

template <class T>
Task<Result<T>> one_later(Task<Result<Message>> task) {
  Result<Message> message = co_await std::move(task);
  if (!message) co_return message.error();
  co_return parse_message<T>(*message, Side::kServer);
}

inline Task<Outcome> outcome_later(Task<Status> written) {
  Status status = co_await std::move(written);
  co_return Outcome(std::move(status));
}

}  // namespace detail

// The one request message of a call that takes exactly one. No coroutine frame if it is there already.
// Error: UNIMPLEMENTED for none or two (gRPC's word for it), INVALID_ARGUMENT for a malformed one, or why the call is
// over.
template <class T>
Task<Result<T>> one(Context& ctx, Call& call) {
  Task<Result<Message>> task = detail::one_message(ctx, call);
  if (!task.has_value()) return detail::one_later<T>(std::move(task));
  const Result<Message>& message = detail::ready_value(task);
  if (!message) return Task<Result<T>>::ready(message.error());
  return Task<Result<T>>::ready(parse_message<T>(*message, Side::kServer));
}

// Writes the one reply message; the Outcome is OK, or why it could not be written.
template <class T>
Task<Outcome> reply(Context& ctx, Call& call, const T& value) {
  Result<Message> message = make_message(value);
  if (!message) return Task<Outcome>::ready(Outcome(message.error()));
  Task<Status> written = call.out->write(ctx, std::move(*message));
  if (!written.has_value()) return detail::outcome_later(std::move(written));
  return Task<Outcome>::ready(Outcome(std::move(detail::ready_value(written))));
}

// What a generated service says to a Method that is not one of its own: UNIMPLEMENTED.
Task<Outcome> unknown_method(const Call& call);

namespace detail {

// A request message of this thread that was used before: its strings and repeated fields keep their memory, which is
// most of what parsing costs. Goes back when the call is over, unless a large message has left too much in it; it is
// parsing that clears it.
template <class T>
class Reused {
 public:
  Reused() {
    if (!spare().empty()) {
      message_ = std::move(spare().back());
      spare().pop_back();
    } else {
      message_ = std::make_unique<T>();
    }
  }
  ~Reused() {
    if (large_ || spare().size() >= kKept) return;
    spare().push_back(std::move(message_));
  }
  Reused(const Reused&) = delete;
  Reused& operator=(const Reused&) = delete;

  const T& operator*() const { return *message_; }
  Status parse(const Message& message) {
    large_ = message.bytes.size() > kLarge;
    if (message.format != Format::kProto || message.codec != Codec::kIdentity || message.bytes.size() > INT_MAX ||
        !message_->ParseFromArray(message.bytes.data(), static_cast<int>(message.bytes.size())))
      return unreadable(message, Side::kServer, message_->GetTypeName());
    return {};
  }

 private:
  static constexpr size_t kKept = 64, kLarge = 16 * 1024;
  static std::vector<std::unique_ptr<T>>& spare() {
    thread_local std::vector<std::unique_ptr<T>> messages;
    return messages;
  }
  std::unique_ptr<T> message_;
  bool large_ = false;
};

}  // namespace detail

// serve(): one call of a handler's method, in its four shapes. Each method has a frame of its own size.
template <class S, class In, class Out>
Task<Outcome> serve(Context& ctx, Call& call, S& service, Task<Result<Out>> (S::*method)(Context&, const In&)) {
  Task<Result<Message>> request_task = detail::one_message(ctx, call);
  Result<Message>& request = co_await request_task.in_place();
  if (!request) co_return request.error();
  detail::Reused<In> in;
  if (Status s = in.parse(*request); !s.is_ok()) co_return s;
  request->bytes = Bytes();
  Task<Result<Out>> answer = (service.*method)(ctx, *in);
  const Result<Out>& out = co_await answer.in_place();
  if (!out) co_return out.error();
  Task<Outcome> told = reply(ctx, call, *out);
  co_return std::move(co_await told.in_place());
}

template <class S, class In, class Out>
Task<Outcome> serve(Context& ctx, Call& call, S& service,
                    Task<Status> (S::*method)(Context&, const In&, Writer<Out>&)) {
  Task<Result<Message>> request_task = detail::one_message(ctx, call);
  Result<Message>& request = co_await request_task.in_place();
  if (!request) co_return request.error();
  detail::Reused<In> in;
  if (Status s = in.parse(*request); !s.is_ok()) co_return s;
  request->bytes = Bytes();
  Writer<Out> out(*call.out);
  co_return co_await (service.*method)(ctx, *in, out);
}

template <class S, class In, class Out>
Task<Outcome> serve(Context& ctx, Call& call, S& service, Task<Result<Out>> (S::*method)(Context&, Reader<In>&)) {
  Reader<In> in(*call.in);
  Task<Result<Out>> answer = (service.*method)(ctx, in);
  const Result<Out>& out = co_await answer.in_place();
  if (!out) co_return out.error();
  Task<Outcome> told = reply(ctx, call, *out);
  co_return std::move(co_await told.in_place());
}

template <class S, class In, class Out>
Task<Outcome> serve(Context& ctx, Call& call, S& service,
                    Task<Status> (S::*method)(Context&, Reader<In>&, Writer<Out>&)) {
  Reader<In> in(*call.in);
  Writer<Out> out(*call.out);
  co_return co_await (service.*method)(ctx, in, out);
}

}  // namespace duplex
