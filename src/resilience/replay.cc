#include "resilience/replay.h"

namespace duplex::resilience {

bool Replay::commit(Reader& by) {
  if (owner_) return owner_ == &by;
  owner_ = &by;
  // What it has read will not be read again.
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(by.at_));
  by.at_ = 0;
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

Task<NextResult> Replay::Reader::next(Context& ctx) {
  if (auto here = at_hand(ctx)) return Task<NextResult>::ready(std::move(*here));
  if (replay_.owner_ && !replay_.pulling_) return replay_.in_.next(ctx);  // nobody else will ask for it
  return pull(ctx);
}

Task<NextResult> Replay::Reader::pull(Context& ctx) {
  while (replay_.pulling_) {
    if (Status s = co_await replay_.pulled_.wait(ctx); !s.is_ok()) co_return s;
    if (auto here = at_hand(ctx)) co_return std::move(*here);
  }
  NextResult m(std::optional<Message>{});
  {
    Pull pull(replay_);
    m = co_await replay_.in_.next(ctx);
  }
  if (!m) co_return m;  // not kept: whoever asks next hears it from the Source
  if (*m)
    replay_.keep(*this, **m);
  else
    replay_.ended_ = true;
  if (lost()) co_return Status::cancelled("another attempt goes on with this call");
  co_return m;
}

}  // namespace duplex::resilience
