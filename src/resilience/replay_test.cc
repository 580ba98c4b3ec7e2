#include "resilience/replay.h"

#include "resilience/scripted_peer.h"

namespace duplex::resilience {
namespace {

template <class F>
void on_virtual_time(F f) {
  run(f, Loop::Options{.virtual_time = true});
}
Task<std::string> read(Context& ctx, Source& in) {
  NextResult m = co_await in.next(ctx);
  if (!m) co_return std::string(code_name(m.error().code()));
  co_return *m ? (**m).bytes.to_string() : "end";
}

TEST(Replay, EachReaderBeginsAtTheFirstMessage) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Several in({"a", "b"});
    Replay replay(in, 100);
    Replay::Reader first(replay), second(replay);
    EXPECT_EQ(co_await read(ctx, first), "a");
    EXPECT_EQ(co_await read(ctx, second), "a");
    EXPECT_EQ(co_await read(ctx, second), "b");
    EXPECT_EQ(co_await read(ctx, second), "end");
    EXPECT_EQ(co_await read(ctx, first), "b");
    EXPECT_EQ(co_await read(ctx, first), "end");
  });
}

TEST(Replay, WhoHasCommittedReadsOnAndNobodyElse) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Several in({"a", "b", "c"});
    Replay replay(in, 100);
    Replay::Reader first(replay), second(replay);
    EXPECT_EQ(co_await read(ctx, first), "a");
    EXPECT_EQ(co_await read(ctx, first), "b");
    EXPECT_EQ(co_await read(ctx, second), "a");
    EXPECT_TRUE(second.commit());
    EXPECT_FALSE(first.commit());
    EXPECT_TRUE(first.lost());
    EXPECT_EQ(co_await read(ctx, first), "CANCELLED");
    EXPECT_EQ(co_await read(ctx, second), "b");
    EXPECT_EQ(co_await read(ctx, second), "c");
    EXPECT_EQ(co_await read(ctx, second), "end");
  });
}

TEST(Replay, TooMuchCommitsWhoMetIt) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Several in({"aaa", "bbb", "c", "d"});
    Replay replay(in, 6);
    Replay::Reader first(replay), second(replay);
    EXPECT_EQ(co_await read(ctx, first), "aaa");
    EXPECT_EQ(co_await read(ctx, first), "bbb");
    EXPECT_FALSE(replay.too_large());
    EXPECT_EQ(co_await read(ctx, first), "c");
    EXPECT_TRUE(replay.too_large());
    EXPECT_EQ(replay.owner(), &first);
    EXPECT_EQ(co_await read(ctx, second), "CANCELLED");
    EXPECT_EQ(co_await read(ctx, first), "d");
  });
}

// A Source that gives a message each 10 ms and aborts the test if two ask it at once.
class Slow final : public Source {
 public:
  Task<NextResult> next(Context& ctx) override {
    EXPECT_FALSE(asked_);
    asked_ = true;
    Status s = co_await sleep(ctx, 10ms);
    asked_ = false;
    if (!s.is_ok()) co_return s;
    co_return std::optional<Message>(Message(Bytes::copy(std::to_string(n_++))));
  }

 private:
  bool asked_ = false;
  int n_ = 0;
};

TEST(Replay, TheSourceIsAskedByOneAtATimeAndACancelledAskerLosesNothing) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Slow in;
    Replay replay(in, 100);
    Replay::Reader first(replay), second(replay);
    Context short_lived(ctx);
    Scope scope(ctx);
    std::string got;
    auto read_as_short_lived = [&](Context&) -> Task<void> { got = co_await read(short_lived, first); };
    scope.spawn(read_as_short_lived);
    scope.spawn([&](Context& child) -> Task<void> {
      (void)co_await sleep(child, 5ms);
      short_lived.cancel(Status::aborted("enough"));
    });
    EXPECT_EQ(co_await read(ctx, second), "0");  // waits for the first, then asks itself
    co_await scope.join();
    EXPECT_EQ(got, "ABORTED");
    EXPECT_EQ(co_await read(ctx, first), "0");
    EXPECT_EQ(co_await read(ctx, first), "1");
    EXPECT_EQ(co_await read(ctx, second), "1");
  });
}

TEST(Replay, AMessageThatCameForALoserIsTheWinners) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Slow in;
    Replay replay(in, 100);
    Replay::Reader winner(replay), loser(replay);
    Scope scope(ctx);
    std::string got;
    scope.spawn([&](Context& child) -> Task<void> { got = co_await read(child, loser); });
    winner.commit();  // while the loser waits for the first message
    EXPECT_EQ(co_await read(ctx, winner), "0");
    co_await scope.join();
    EXPECT_EQ(got, "CANCELLED");
    EXPECT_EQ(co_await read(ctx, winner), "1");
  });
}

TEST(Replay, ASourceThatThrowsLeavesTheOthersFree) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    class Throws final : public Source {
     public:
      Task<NextResult> next(Context&) override {
        if (n_++ == 0) throw std::runtime_error("boom");
        co_return std::optional<Message>();
      }

     private:
      int n_ = 0;
    } in;
    Replay replay(in, 100);
    Replay::Reader first(replay), second(replay);
    bool threw = false;
    try {
      (void)co_await read(ctx, first);
    } catch (const std::runtime_error&) {
      threw = true;
    }
    EXPECT_TRUE(threw);
    EXPECT_EQ(co_await read(ctx, second), "end");
  });
}

}  // namespace
}  // namespace duplex::resilience
