#include "duplex/service/pipe.h"

namespace duplex {

Task<Status> Pipe::head(Context&, Metadata metadata) {
  if (!has_head_) {
    has_head_ = true;
    head_ = std::move(metadata);
    changed_.notify_all();
  }
  return Task<Status>::ready(Status());
}

Task<Status> Pipe::write(Context& ctx, Message message) {
  if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
  if (abandoned_) return Task<Status>::ready(Status::cancelled("the reader has gone"));
  if (slot_) return write_later(ctx, std::move(message));
  has_head_ = true;
  slot_ = std::move(message);
  changed_.notify_all();
  return Task<Status>::ready(Status());
}

Task<Status> Pipe::write_later(Context& ctx, Message message) {
  while (slot_ && !abandoned_)
    if (Status s = co_await changed_.wait(ctx); !s.is_ok()) co_return s;
  if (abandoned_) co_return Status::cancelled("the reader has gone");
  slot_ = std::move(message);
  changed_.notify_all();
  co_return Status();
}

std::optional<NextResult> Pipe::take() {
  if (slot_) {
    NextResult r(std::exchange(slot_, std::nullopt));
    changed_.notify_all();
    return r;
  }
  if (closed_) return status_.is_ok() ? NextResult(std::optional<Message>()) : NextResult(status_);
  return std::nullopt;
}

Task<NextResult> Pipe::next(Context& ctx) {
  if (ctx.cancelled()) return Task<NextResult>::ready(ctx.why());
  if (auto r = take()) return Task<NextResult>::ready(std::move(*r));
  return next_later(ctx);
}

Task<NextResult> Pipe::next_later(Context& ctx) {
  for (;;) {
    if (Status s = co_await changed_.wait(ctx); !s.is_ok()) co_return s;
    if (auto r = take()) co_return std::move(*r);
  }
}

void Pipe::close(Status status, Metadata trailers) {
  if (closed_) return;
  closed_ = true;
  status_ = std::move(status);
  trailers_ = std::move(trailers);
  changed_.notify_all();
}

void Pipe::abandon() {
  abandoned_ = true;
  changed_.notify_all();
}

Task<Status> Pipe::wait_head(Context& ctx) {
  while (!has_head_ && !closed_)
    if (Status s = co_await changed_.wait(ctx); !s.is_ok()) co_return s;
  co_return has_head_ ? Status() : status_;
}

}  // namespace duplex
