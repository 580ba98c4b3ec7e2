#include "resilience/replay.h"

#include "duplex/contract/typed.h"

namespace duplex::resilience {

bool Replay::commit(Reader& by) {
  if (owner_) return owner_ == &by;
  owner_ = &by;
  for (size_t i = 0; i < by.at_; ++i) kept_[i] = Message();  // what it has read will not be read again
  decided_.notify_all();
  return true;
}

// A message that `by` has taken from the Source.
void Replay::keep(Reader& by, const Message& message) {
  if (owner_ == &by) return;
  octets_ += message.bytes.size();
  if (!owner_ && octets_ > remember_) {
    commit(by);
    too_large_ = true;
    return;
  }
  kept_.push_back(message);
  ++by.at_;
}

// What can be said without asking the Source.
std::optional<NextResult> Replay::Reader::at_hand(Context& ctx) {
  if (ctx.cancelled()) return NextResult(ctx.why());
  if (lost()) return NextResult(Status::cancelled("another attempt goes on with this call"));
  if (at_ < replay_.kept_.size()) {
    Message& kept = replay_.kept_[at_++];
    return NextResult(std::optional<Message>(replay_.owner_ ? std::move(kept) : kept));
  }
  if (replay_.ended_) return NextResult(std::optional<Message>());
  return std::nullopt;
}

// What the Source has said to this Reader.
NextResult Replay::Reader::taken(NextResult m) {
  if (!m) return m;  // not kept: whoever asks next hears it from the Source
  if (*m)
    replay_.keep(*this, **m);
  else
    replay_.ended_ = true;
  if (lost()) return Status::cancelled("another attempt goes on with this call");
  return m;
}

Task<NextResult> Replay::Reader::next(Context& ctx) {
  if (auto here = at_hand(ctx)) return Task<NextResult>::ready(std::move(*here));
  if (replay_.pulling_) return pull(ctx);
  if (replay_.owner_) return replay_.in_.next(ctx);  // nobody else will ask for it
  Task<NextResult> asked = replay_.in_.next(ctx);
  if (asked.has_value()) return Task<NextResult>::ready(taken(std::move(duplex::detail::ready_value(asked))));
  return pull_later(std::move(asked));
}

Task<NextResult> Replay::Reader::pull_later(Task<NextResult> asked) {
  Pull pull(replay_);
  NextResult m = co_await std::move(asked);
  co_return taken(std::move(m));
}

// While another Reader asks.
Task<NextResult> Replay::Reader::pull(Context& ctx) {
  while (replay_.pulling_) {
    if (Status s = co_await replay_.pulled_.wait(ctx); !s.is_ok()) co_return s;
    if (auto here = at_hand(ctx)) co_return std::move(*here);
  }
  co_return co_await next(ctx);
}

}  // namespace duplex::resilience
