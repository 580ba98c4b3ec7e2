// Pipe, and the small Sources and Sinks.
#include "duplex/service/pipe.h"

#include <gtest/gtest.h>

#include "duplex/runtime/run.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
constexpr Loop::Options kVirtual{.virtual_time = true};

Message text(std::string_view s) { return Message(Bytes::copy(s)); }
std::string shown(const NextResult& r) {
  if (!r) return r.error().to_string();
  return *r ? (*r)->bytes.to_string() : "(end)";
}

TEST(One, GivesItsMessageAndThenTheEnd) {
  run([](Context& ctx) -> Task<void> {
    One one(text("a"));
    EXPECT_EQ(shown(co_await one.next(ctx)), "a");
    EXPECT_EQ(shown(co_await one.next(ctx)), "(end)");
    EXPECT_TRUE(one.trailers().empty());
  });
}

TEST(One, ACancelledNextTakesNothing) {
  run([](Context& ctx) -> Task<void> {
    One one(text("a"));
    Context gone(ctx);
    gone.cancel(Status::cancelled("no"));
    EXPECT_EQ((co_await one.next(gone)).error().code(), Code::kCancelled);
    EXPECT_EQ(shown(co_await one.next(ctx)), "a");
  });
}

TEST(Pipe, CarriesInOrderOneAtATime) {
  run([](Context& ctx) -> Task<void> {
    Pipe pipe;
    int written = 0;
    Scope scope(ctx);
    scope.spawn([&](Context& c) -> Task<void> {
      for (int i = 0; i < 100; ++i) {
        Message m = text(std::to_string(i));
        Status s = co_await pipe.write(c, m);
        EXPECT_TRUE(s.is_ok());
        ++written;
      }
      Metadata trailers;
      trailers.add("t", "1");
      pipe.close(Status(), trailers);
    });
    for (int i = 0; i < 100; ++i) {
      EXPECT_LE(written, i + 1);  // the slot is one message
      EXPECT_EQ(shown(co_await pipe.next(ctx)), std::to_string(i));
    }
    EXPECT_EQ(shown(co_await pipe.next(ctx)), "(end)");
    EXPECT_EQ(pipe.trailers().find("t"), "1");
    co_await scope.join();
  });
}

TEST(Pipe, TheFirstWriteNeverWaitsAndTheSecondDoes) {
  run([](Context& ctx) -> Task<void> {
    Pipe pipe;
    Task<Status> first = pipe.write(ctx, text("a"));
    EXPECT_TRUE(first.has_value());
    Task<Status> second = pipe.write(ctx, text("b"));
    EXPECT_FALSE(second.has_value());
    co_return;
  });
}

TEST(Pipe, WhatIsInTheSlotComesBeforeTheCloseAndItsError) {
  run([](Context& ctx) -> Task<void> {
    Pipe pipe;
    Status s = co_await pipe.write(ctx, text("last"));
    EXPECT_TRUE(s.is_ok());
    pipe.close(Status::aborted("late"));
    EXPECT_EQ(shown(co_await pipe.next(ctx)), "last");
    EXPECT_EQ(shown(co_await pipe.next(ctx)), "ABORTED: late");
    EXPECT_EQ(shown(co_await pipe.next(ctx)), "ABORTED: late");
  });
}

TEST(Pipe, AbandonedItsWriterHearsIt) {
  run([](Context& ctx) -> Task<void> {
    Pipe pipe;
    Status second;
    Scope scope(ctx);
    scope.spawn([&](Context& c) -> Task<void> {
      Status first = co_await pipe.write(c, text("a"));
      EXPECT_TRUE(first.is_ok());
      second = co_await pipe.write(c, text("b"));
    });
    pipe.abandon();
    co_await scope.join();
    EXPECT_EQ(second.code(), Code::kCancelled);
    Status third = co_await pipe.write(ctx, text("c"));
    EXPECT_EQ(third.code(), Code::kCancelled);
  });
}

TEST(Pipe, EveryWaitHearsItsContext) {
  run(
      [](Context& ctx) -> Task<void> {
        Pipe pipe;
        Context short_one(ctx, 1s);
        EXPECT_EQ((co_await pipe.next(short_one)).error().code(), Code::kDeadlineExceeded);
        Context second_one(ctx, 1s);
        EXPECT_EQ((co_await pipe.wait_head(second_one)).code(), Code::kDeadlineExceeded);
        Status s = co_await pipe.write(ctx, text("a"));
        EXPECT_TRUE(s.is_ok());
        Context third_one(ctx, 1s);
        EXPECT_EQ((co_await pipe.write(third_one, text("b"))).code(), Code::kDeadlineExceeded);
        EXPECT_EQ(shown(co_await pipe.next(ctx)), "a");  // and the refused one was not taken
        pipe.close();
        EXPECT_EQ(shown(co_await pipe.next(ctx)), "(end)");
      },
      kVirtual);
}

// Law 1: whichever comes first in a turn, the message or the cancel, the message is given exactly once.
TEST(Pipe, AMessageAndACancelInOneTurnLoseNothing) {
  for (bool cancel_first : {true, false}) {
    run([&](Context& ctx) -> Task<void> {
      Pipe pipe;
      Context reader(ctx);
      NextResult seen(std::optional<Message>{});
      Scope scope(reader);
      scope.spawn([&](Context& c) -> Task<void> { seen = co_await pipe.next(c); });
      if (cancel_first) reader.cancel(Status::cancelled("x"));
      Task<Status> written = pipe.write(ctx, text("m"));
      EXPECT_TRUE(written.has_value());
      if (!cancel_first) reader.cancel(Status::cancelled("x"));
      co_await scope.join();
      if (!seen) seen = co_await pipe.next(ctx);
      EXPECT_EQ(shown(seen), "m");
    });
  }
}

TEST(Pipe, TheHeadIsSeenBeforeAnyMessage) {
  run([](Context& ctx) -> Task<void> {
    Pipe pipe;
    Status seen = Status::unknown("not yet");
    Scope scope(ctx);
    scope.spawn([&](Context& c) -> Task<void> { seen = co_await pipe.wait_head(c); });
    Metadata head;
    head.add("h", "1");
    Status s = co_await pipe.head(ctx, head);
    EXPECT_TRUE(s.is_ok());
    co_await scope.join();
    EXPECT_TRUE(seen.is_ok());
    EXPECT_EQ(pipe.metadata().find("h"), "1");

    Pipe failed;
    failed.close(Status::not_found("none"));
    EXPECT_EQ((co_await failed.wait_head(ctx)).code(), Code::kNotFound);
  });
}

}  // namespace
}  // namespace duplex
