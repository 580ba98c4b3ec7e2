// Replay: a request that can be read again. It keeps the messages that it has taken from its Source until the call is
// committed to one attempt, or until they are too many.
//
// Each attempt has a Reader of its own, which begins at the first message; several may read at once, as hedges do. The
// Source is asked by one of them at a time (law 1), and what it gives while its asker is cancelled is kept for the
// others. Once one Reader has commit()ted, the call is its own: the others get CANCELLED, and nothing more is kept.
#pragma once

#include <optional>
#include <vector>

#include "duplex/runtime/wait.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience {

class Replay {
 public:
  class Reader final : public Source {
   public:
    explicit Reader(Replay& replay) : replay_(replay) {}
    Task<NextResult> next(Context& ctx) override;
    const Metadata& trailers() const override { return replay_.in_.trailers(); }
    // The call is this Reader's from now on. False: it is another's already.
    bool commit() { return replay_.commit(*this); }
    bool lost() const { return replay_.owner_ && replay_.owner_ != this; }

   private:
    friend class Replay;
    std::optional<NextResult> at_hand(Context& ctx);
    NextResult taken(NextResult m);
    Task<NextResult> pull(Context& ctx);
    Task<NextResult> pull_later(Task<NextResult> asked);
    Replay& replay_;
    size_t at_ = 0;  // of the messages kept
  };

  // Keeps up to `remember` octets of messages. When they are more, the call is committed to the Reader that met it.
  Replay(Source& in, uint64_t remember) : in_(in), remember_(remember) {}
  Replay(const Replay&) = delete;

  // Whose the call is; null: another attempt can be made.
  const Reader* owner() const { return owner_; }
  // It was committed since its messages were too many.
  bool too_large() const { return too_large_; }
  // Notified when owner() is decided.
  Notifier& decided() { return decided_; }

 private:
  struct Pull {  // one Reader is asking the Source
    Replay& replay;
    explicit Pull(Replay& r) : replay(r) { replay.pulling_ = true; }
    ~Pull() {
      replay.pulling_ = false;
      replay.pulled_.notify_all();
    }
  };
  // Messages in order; the first needs no memory of its own, since most requests are one.
  class Kept {
   public:
    size_t size() const { return first_ ? 1 + rest_.size() : 0; }
    Message& operator[](size_t i) { return i == 0 ? *first_ : rest_[i - 1]; }
    void push_back(const Message& m) {
      if (first_)
        rest_.push_back(m);
      else
        first_.emplace(m);
    }

   private:
    std::optional<Message> first_;
    std::vector<Message> rest_;
  };

  bool commit(Reader& by);
  void keep(Reader& by, const Message& message);

  Source& in_;
  const uint64_t remember_;
  Kept kept_;
  uint64_t octets_ = 0;
  bool ended_ = false, pulling_ = false, too_large_ = false;
  const Reader* owner_ = nullptr;
  Notifier pulled_, decided_;
};

}  // namespace duplex::resilience
