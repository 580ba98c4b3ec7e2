// The core's floor: Task, Context, Scope, timers, channels, blocking work.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "duplex/runtime/blocking.h"
#include "duplex/runtime/channel.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/watchdog.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
constexpr Loop::Options kVirtual{.virtual_time = true};

Task<int> plain(int n) { co_return n; }
Task<Status> naps(Context& ctx, Duration d) { co_return co_await sleep(ctx, d); }

TEST(Task, AMillionAwaitsInALoopNeedNoStack) {
  long sum = run([](Context&) -> Task<long> {
    long total = 0;
    for (int i = 0; i < 1'000'000; ++i) total += co_await plain(1);
    co_return total;
  });
  EXPECT_EQ(sum, 1'000'000);
}

TEST(Task, AMillionAwaitsThatParkNeedNoStack) {
  int count = run([](Context& ctx) -> Task<int> {
    int n = 0;
    auto turn = [&](Context& c) -> Task<Status> { co_return co_await yield(c); };
    for (Status s; s.is_ok() && n < 1'000'000; ++n) s = co_await turn(ctx);
    co_return n;
  });
  EXPECT_EQ(count, 1'000'000);
}

TEST(Task, AnExceptionGoesToWhoAwaits) {
  auto thrower = [](Context&) -> Task<int> {
    throw std::runtime_error("boom");
    co_return 1;
  };
  EXPECT_THROW(run(thrower), std::runtime_error);
}

TEST(TaskDeathTest, DestroyedWhileItRunsAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([](Context& ctx) -> Task<int> {
                 struct Starter {  // starts a Task and forgets it
                   Task<Status> task;
                   bool await_ready() { return false; }
                   bool await_suspend(std::coroutine_handle<> h) {
                     auto awaiter = std::move(task).operator co_await();
                     awaiter.await_suspend(h);
                     {
                       Task<Status> gone = std::move(task);
                     }
                     return false;
                   }
                   void await_resume() {}
                 };
                 Starter starter{naps(ctx, 10s)};
                 co_await starter;
                 co_return 0;
               }),
               "destroyed while it runs");
}

TEST(Context, ADeadlineIsACancelWithDeadlineExceeded) {
  Status s = run(
      [](Context& ctx) -> Task<Status> {
        Context child(ctx, 2s);
        co_return co_await sleep(child, 1h);
      },
      kVirtual);
  EXPECT_EQ(s.code(), Code::kDeadlineExceeded);
}

TEST(Context, AChildEndsNoLaterThanItsParentAndFindsWhatItPut) {
  run(
      [](Context& ctx) -> Task<void> {
        int value = 7;
        Context parent(ctx, 1s);
        parent.put(value);
        Context child(parent, 1h);
        EXPECT_EQ(child.deadline(), parent.deadline());
        EXPECT_EQ(child.find<int>(), &value);
        EXPECT_EQ(child.find<double>(), nullptr);
        EXPECT_EQ((co_await sleep(child, 2h)).code(), Code::kDeadlineExceeded);
      },
      kVirtual);
}

TEST(Timers, FireInOrderOverDays) {
  std::vector<int> order;
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        std::vector<Duration> naps = {26h, 3ms, 70s, 1ms, 300ms, 5h, 65s, 255ms, 256ms, 257ms};
        for (size_t i = 0; i < naps.size(); ++i)
          scope.spawn([&order, i, nap = naps[i]](Context& c) -> Task<void> {
            Time start = c.loop().now();
            EXPECT_TRUE((co_await sleep(c, nap)).is_ok());
            EXPECT_GE(c.loop().now() - start, nap);
            EXPECT_LE(c.loop().now() - start, nap + 300ms);
            order.push_back(static_cast<int>(i));
          });
        co_await scope.join();
      },
      kVirtual);
  EXPECT_EQ(order, (std::vector<int>{3, 1, 7, 8, 9, 4, 6, 2, 5, 0}));
}

TEST(Scope, CancelReachesEveryChildAndJoinWaitsForThem) {
  int ended = 0;
  run([&](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    for (int i = 0; i < 100; ++i)
      scope.spawn([&](Context& c) -> Task<void> {
        Status s = co_await sleep(c, 1h);
        EXPECT_EQ(s.code(), Code::kUnavailable);
        ++ended;
      });
    scope.cancel(Status::unavailable("stop"));
    EXPECT_EQ(ended, 0);  // nothing resumes inline (law 7)
    co_await scope.join();
  });
  EXPECT_EQ(ended, 100);
}

TEST(Scope, JoinUntilGivesUpAtItsTime) {
  run(
      [](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        scope.spawn([](Context& c) -> Task<void> { static_cast<void>(co_await sleep(c, 10s)); });
        EXPECT_FALSE(co_await scope.join(ctx.loop().now() + 1s));
        EXPECT_TRUE(co_await scope.join(ctx.loop().now() + 1h));
      },
      kVirtual);
}

TEST(ScopeDeathTest, EndingWithChildrenAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([](Context& ctx) -> Task<void> {
                 Scope scope(ctx);
                 scope.spawn([](Context& c) -> Task<void> { static_cast<void>(co_await sleep(c, 1h)); });
                 co_return;
               }),
               "children running");
}

TEST(Both, TheFirstFailureCancelsTheOther) {
  Status s = run(
      [](Context& ctx) -> Task<Status> {
        auto fails = [](Context& c) -> Task<Status> {
          static_cast<void>(co_await sleep(c, 1s));
          co_return Status::not_found("here");
        };
        auto waits = [](Context& c) -> Task<Status> { co_return co_await sleep(c, 1h); };
        co_return co_await both(ctx, waits, fails);
      },
      kVirtual);
  EXPECT_EQ(s.code(), Code::kNotFound);
}

TEST(Both, AnExceptionOfOneCancelsTheOtherAndIsThrown) {
  for (bool first : {true, false}) {
    Status other;
    std::string what;
    Duration took = run(
        [&](Context& ctx) -> Task<Duration> {
          Time start = ctx.loop().now();
          auto throws = [](Context& c) -> Task<Status> {
            static_cast<void>(co_await yield(c));
            throw std::runtime_error("a broken half");
          };
          auto waits = [&](Context& c) -> Task<Status> {
            other = co_await sleep(c, 1h);
            co_return other;
          };
          try {
            Status s;
            if (first)
              s = co_await both(ctx, throws, waits);
            else
              s = co_await both(ctx, waits, throws);
            ADD_FAILURE() << s.to_string();
          } catch (const std::exception& e) {
            what = e.what();
          }
          co_return ctx.loop().now() - start;
        },
        kVirtual);
    EXPECT_EQ(what, "a broken half");
    EXPECT_EQ(other.code(), Code::kCancelled) << other.to_string();
    EXPECT_LT(took, 1s);
  }
}

TEST(Channel, CarriesAMillionItemsBetweenTwoLoops) {
  Channel<int> channel(16);
  LoopThread other;
  other.spawn([&](Context& ctx) -> Task<void> {
    for (int i = 0; i < 100'000; ++i) EXPECT_TRUE((co_await channel.send(ctx, i)).is_ok());
    channel.close();
  });
  long sum = run([&](Context& ctx) -> Task<long> {
    long total = 0;
    for (;;) {
      auto item = co_await channel.receive(ctx);
      if (!item || !*item) break;
      total += **item;
    }
    co_return total;
  });
  EXPECT_EQ(sum, 100'000L * 99'999 / 2);
}

TEST(Channel, ACancelledReceiveTakesNothing) {
  run(
      [](Context& ctx) -> Task<void> {
        Channel<int> channel(1);
        Context hurried(ctx, 1s);
        EXPECT_EQ((co_await channel.receive(hurried)).error().code(), Code::kDeadlineExceeded);
        EXPECT_TRUE(channel.try_send(5));
        auto item = co_await channel.receive(ctx);
        EXPECT_EQ(**item, 5);
      },
      kVirtual);
}

TEST(Signal, CancelAndNotifyFromAnotherThreadMayMeet) {
  Signal signal;
  std::atomic<bool> done{false};
  std::thread notifier([&] {
    while (!done) signal.notify();
  });
  run([&](Context& ctx) -> Task<void> {
    for (int i = 0; i < 2000; ++i) {
      Context child(ctx);
      Scope scope(child);
      scope.spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await signal.changed(c, signal.version())); });
      scope.cancel(Status::cancelled("enough"));
      co_await scope.join();
    }
  });
  done = true;
  notifier.join();
}

TEST(Blocking, RunsElsewhereAndResumesHere) {
  run([](Context& ctx) -> Task<void> {
    auto here = std::this_thread::get_id();
    Result<int> r = co_await blocking(ctx, [&] {
      EXPECT_NE(std::this_thread::get_id(), here);
      return 42;
    });
    EXPECT_EQ(*r, 42);
    EXPECT_EQ(std::this_thread::get_id(), here);
  });
}

TEST(Blocking, PastItsQueueItAnswersResourceExhausted) {
  BlockingPool pool({.threads = 1, .queue = 1});
  std::atomic<bool> release{false};
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    int refused = 0, ran = 0;
    auto job = [&](Context& c) -> Task<void> {
      Result<int> r = co_await blocking(
          c,
          [&] {
            while (!release) std::this_thread::yield();
            return 1;
          },
          pool);
      if (r)
        ++ran;
      else
        refused += r.error().code() == Code::kResourceExhausted;
    };
    scope.spawn(job);
    while (pool.running().empty()) EXPECT_TRUE((co_await yield(ctx)).is_ok());
    for (int i = 0; i < 4; ++i) scope.spawn(job);
    EXPECT_TRUE((co_await yield(ctx)).is_ok());
    EXPECT_EQ(refused, 3);
    release = true;
    co_await scope.join();
    EXPECT_EQ(ran, 2);
  });
}

TEST(Watchdog, NamesTheMethodThatHoldsALoop) {
  Channel<std::string> named(4);
  Watchdog watchdog([&](std::string_view method, Duration) { named.try_send(std::string(method)); }, 20ms);
  static constexpr std::string_view kMethod = "/shop.v1.Orders/Slow";
  LoopThread thread;
  watchdog.add(thread.loop());
  std::atomic<bool> release{false};
  thread.spawn([&](Context& ctx) -> Task<void> {
    ctx.set_label(&kMethod);
    static_cast<void>(co_await yield(ctx));
    while (!release) std::this_thread::yield();
  });
  std::string method = run([&](Context& ctx) -> Task<std::string> {
    auto m = co_await named.receive(ctx);
    co_return **m;
  });
  release = true;
  watchdog.remove(thread.loop());
  EXPECT_EQ(method, kMethod);
}

}  // namespace
}  // namespace duplex
