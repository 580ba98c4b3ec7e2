// Service: filters, guarded(), answer().
#include "duplex/service/service.h"

#include <gtest/gtest.h>

#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex {
namespace {

using Body = std::function<Task<Outcome>(Context&, Call&)>;
class Handler final : public Service {
 public:
  explicit Handler(Body body) : body_(std::move(body)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return body_(ctx, c); }

 private:
  Body body_;
};
std::shared_ptr<Service> handler(Body body) { return std::make_shared<Handler>(std::move(body)); }

const Method& method() {
  static const Method m("/t.T/M", false, false);
  return m;
}

// One call of `service`, its reply kept in `kept`.
Outcome called(Service& service, Keep& kept) {
  return run([&](Context& ctx) -> Task<Outcome> {
    One in(Message(Bytes::copy("in")));
    Metadata metadata;
    metadata.add("who", "me");
    Call call(method(), metadata, in, kept);
    co_return co_await service.call(ctx, call);
  });
}

std::string reported;
struct Reports {
  Reports() {
    reported.clear();
    set_exception_report(
        [](Context&, const Method& m, std::string_view what) { reported += m.name + ": " + std::string(what); });
  }
};

TEST(Filter, StandsAroundTheCall) {
  std::string order;
  auto named = [&](char c) {
    return filter([&order, c](Context& ctx, Call& call, Service& next) -> Task<Outcome> {
      order += c;
      Outcome o = co_await next.call(ctx, call);
      order += c;
      co_return o;
    });
  };
  auto service = named('a')(named('b')(handler([&](Context&, Call&) -> Task<Outcome> {
    order += '!';
    co_return Status::aborted("x");
  })));
  Keep kept;
  EXPECT_EQ(called(*service, kept).status.code(), Code::kAborted);
  EXPECT_EQ(order, "ab!ba");
}

TEST(Guarded, AnExceptionIsInternalAndItsTextIsForTheLog) {
  Reports reports;
  auto service = handler([](Context&, Call&) -> Task<Outcome> {
    throw std::runtime_error("secret");
    co_return Status();
  });
  Outcome outcome = run([&](Context& ctx) -> Task<Outcome> {
    One in{Message()};
    Drop out;
    Call call(method(), Metadata(), in, out);
    co_return co_await guarded(*service, ctx, call);
  });
  EXPECT_EQ(outcome.status.to_string(), "INTERNAL: internal error");
  EXPECT_EQ(reported, "/t.T/M: secret");
}

TEST(Answer, AnExceptionThatIsNoStdExceptionIsCaughtToo) {
  Reports reports;
  auto service = answer()(handler([](Context&, Call&) -> Task<Outcome> {
    throw 7;
    co_return Status();
  }));
  Keep kept;
  EXPECT_EQ(called(*service, kept).status.to_string(), "INTERNAL: internal error");
  EXPECT_EQ(reported, "/t.T/M: not a std::exception");
}

// A handler may throw before its first suspension, when it is no coroutine at all.
TEST(Answer, AThrowingFunctionIsCaughtToo) {
  Reports reports;
  auto service = answer()(handler([](Context&, Call&) -> Task<Outcome> { throw std::logic_error("plain"); }));
  Keep kept;
  EXPECT_EQ(called(*service, kept).status.code(), Code::kInternal);
  EXPECT_EQ(reported, "/t.T/M: plain");
}

TEST(Answer, TheReplysHeadLeavesBeforeTheMessageAndItsTrailersWithTheOutcome) {
  auto service = answer()(handler([](Context& ctx, Call& c) -> Task<Outcome> {
    EXPECT_EQ(ctx.call().metadata.find("who"), "me");
    ctx.reply().head.add("h", "1");
    ctx.reply().trailers.add("t", "2");
    co_return co_await c.out->write(ctx, Message(Bytes::copy("out")));
  }));
  Keep kept;
  Outcome outcome = called(*service, kept);
  EXPECT_TRUE(outcome.status.is_ok());
  EXPECT_EQ(kept.metadata.find("h"), "1");
  EXPECT_EQ(outcome.trailers.find("t"), "2");
  EXPECT_EQ(kept.message->bytes.view(), "out");
}

TEST(Answer, WhatIsForAFailureLeavesWithOneAlone) {
  for (bool fails : {false, true}) {
    auto service = answer()(handler([&](Context& ctx, Call&) -> Task<Outcome> {
      Context child(ctx);
      child.reply_for_caller()->failure_trailers.add("t", "1");
      co_return fails ? Status::unavailable("down") : Status();
    }));
    Keep kept;
    EXPECT_EQ(called(*service, kept).trailers.find("t").has_value(), fails);
  }
  run([](Context& ctx) -> Task<void> {
    EXPECT_EQ(ctx.reply_for_caller(), nullptr);
    co_return;
  });
}

TEST(Answer, TheReplysHeadJoinsTheHandlersOwn) {
  auto service = answer()(handler([](Context& ctx, Call& c) -> Task<Outcome> {
    ctx.reply().head.add("h", "1");
    Metadata own;
    own.add("own", "2");
    Status s = co_await c.out->head(ctx, own);
    if (!s.is_ok()) co_return s;
    co_return co_await c.out->write(ctx, Message());
  }));
  Keep kept;
  EXPECT_TRUE(called(*service, kept).status.is_ok());
  EXPECT_EQ(kept.metadata.find("h"), "1");
  EXPECT_EQ(kept.metadata.find("own"), "2");
  EXPECT_EQ(kept.count, 1u);
}

// What came in must not leak into what goes out.
TEST(AnswerDeathTest, AChildContextHasNoCall) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto service = answer()(handler([](Context& ctx, Call&) -> Task<Outcome> {
    Context child(ctx);
    child.call();
    co_return Status();
  }));
  Keep kept;
  EXPECT_DEATH(called(*service, kept), "child Context");
}

}  // namespace
}  // namespace duplex
