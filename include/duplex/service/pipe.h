// The small Sources and Sinks: one message, none, nowhere, and Pipe, which joins a writer and a reader on one loop.
#pragma once

#include "duplex/runtime/wait.h"
#include "duplex/service/service.h"

namespace duplex {

using NextResult = Result<std::optional<Message>>;

// Exactly one message, then the end.
class One final : public Source {
 public:
  explicit One(Message message) : message_(std::move(message)) {}
  Task<NextResult> next(Context& ctx) override {
    if (ctx.cancelled()) return Task<NextResult>::ready(ctx.why());
    return Task<NextResult>::ready(std::exchange(message_, std::nullopt));
  }

 private:
  std::optional<Message> message_;
};

// Takes everything and keeps nothing.
class Drop final : public Sink {
 public:
  Task<Status> head(Context&, Metadata) override { return Task<Status>::ready(Status()); }
  Task<Status> write(Context&, Message) override { return Task<Status>::ready(Status()); }
};

// Keeps head and the last message: for a reply that is one message.
class Keep final : public Sink {
 public:
  Task<Status> head(Context&, Metadata md) override {
    metadata = std::move(md);
    return Task<Status>::ready(Status());
  }
  Task<Status> write(Context&, Message m) override {
    ++count;
    message = std::move(m);
    return Task<Status>::ready(Status());
  }
  Metadata metadata;
  std::optional<Message> message;
  size_t count = 0;
};

// One slot between a writer and a reader of one loop: a Sink at one end, a Source at the other. write() returns when
// the slot was free for its message.
class Pipe final : public Sink, public Source {
 public:
  Task<Status> head(Context&, Metadata metadata) override;
  Task<Status> write(Context& ctx, Message message) override;
  Task<NextResult> next(Context& ctx) override;
  const Metadata& trailers() const override { return trailers_; }

  // The writer has finished: after what is in the slot the reader gets nullopt, or the error.
  void close(Status status = {}, Metadata trailers = {});
  // The reader has gone: writes answer CANCELLED.
  void abandon();

  // The head, once it is there (has_head) or will never be.
  const Metadata& metadata() const { return head_; }
  bool has_head() const { return has_head_; }
  Task<Status> wait_head(Context& ctx);

 private:
  Task<Status> write_later(Context& ctx, Message message);
  Task<NextResult> next_later(Context& ctx);
  std::optional<NextResult> take();

  Metadata head_, trailers_;
  bool has_head_ = false, closed_ = false, abandoned_ = false;
  Status status_;
  std::optional<Message> slot_;
  Notifier changed_;
};

}  // namespace duplex
