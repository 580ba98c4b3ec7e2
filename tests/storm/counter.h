// The service of the storm: a counter with eight places, at which each call takes ten milliseconds.
#pragma once

#include "talk_service.h"

namespace duplex::storm {

inline constexpr int kPlaces = 8;
inline constexpr Duration kTakes = std::chrono::milliseconds(10);
inline constexpr double kCapacity = 800;  // calls a second

// Who comes while all places are taken waits, first come, first served. A call that is cancelled leaves the queue or
// its place at once, so nothing here works for a caller who has gone. For a server of one loop.
class Counter final : public talk::v1::TalkBase {
 public:
  Task<Result<talk::v1::SayReply>> say(Context& ctx, const talk::v1::SayRequest&) override {
    if (free_ > 0)
      --free_;
    else if (Status s = co_await place_.wait(ctx); !s.is_ok())  // handed over by who leaves
      co_return s;
    Status s = co_await sleep(ctx, kTakes);
    if (place_.waited_on())
      place_.notify_one();
    else
      ++free_;
    if (!s.is_ok()) co_return s;
    ++done_;
    co_return talk::v1::SayReply();
  }
  // Calls that were done before their deadline, as this side sees it: however late a caller is to look.
  int64_t done() const { return done_; }

  Task<Status> count(Context&, const talk::v1::CountRequest&, Writer<talk::v1::Number>&) override {
    co_return Status::unimplemented("not here");
  }
  Task<Result<talk::v1::Sum>> add(Context&, Reader<talk::v1::Number>&) override {
    co_return Status::unimplemented("not here");
  }
  Task<Status> chat(Context&, Reader<talk::v1::Number>&, Writer<talk::v1::Number>&) override {
    co_return Status::unimplemented("not here");
  }

 private:
  int free_ = kPlaces;
  std::atomic<int64_t> done_{0};
  Notifier place_;
};

}  // namespace duplex::storm
