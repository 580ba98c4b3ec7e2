// Failures of the user's own making: by share, by header, delays that hear their Context.
#include "duplex/resilience/fault.h"

#include "resilience/limit_testing.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const Method kCharge{"/shop.v1.Payments/Charge", false, false};

FaultSettings aborts(double share) {
  FaultSettings s;
  s.share = share;
  s.abort = Code::kUnavailable;
  return s;
}
Metadata drill(std::string_view value) {
  Metadata m;
  m.add("x-drill", value);
  return m;
}

int struck_of(int calls, const FaultSettings& settings, const Metadata& metadata = {}) {
  auto service = fault("payments", settings)(taking(0s));
  return run([&](Context& ctx) -> Task<int> {
    int struck = 0;
    for (int i = 0; i < calls; ++i) {
      Outcome o = co_await call(ctx, kCharge, *service, metadata);
      struck += !o.status.is_ok();
    }
    co_return struck;
  });
}

TEST(Fault, StrikesTheShareThatWasAskedFor) {
  EXPECT_EQ(struck_of(1000, aborts(1)), 1000);
  EXPECT_EQ(struck_of(1000, aborts(0)), 0);
  EXPECT_NEAR(struck_of(10'000, aborts(0.2)), 2000, 5 * 40);  // five standard deviations
}

TEST(Fault, AHeaderChoosesTheCallsAndMaySayTheShare) {
  FaultSettings settings = aborts(1);
  settings.header = "x-drill";
  EXPECT_EQ(struck_of(100, settings), 0);
  EXPECT_EQ(struck_of(100, settings, drill("yes")), 100);
  EXPECT_EQ(struck_of(100, settings, drill("0")), 0);
  EXPECT_NEAR(struck_of(10'000, settings, drill("50%")), 5000, 5 * 50);
}

TEST(Fault, DelaysThenFailsAndIsReported) {
  FaultSettings settings = aborts(1);
  settings.delay = 300ms;
  bool reached = false;
  auto service = fault("payments", settings)(handler([&](Context&, Call&) -> Task<Outcome> {
    reached = true;
    co_return Outcome();
  }));
  Heard heard;
  run(
      [&](Context& root) -> Task<void> {
        Context ctx(root);
        ctx.put<Observer>(heard);
        const Time before = ctx.loop().now();
        Outcome o = co_await call(ctx, kCharge, *service);
        EXPECT_EQ(ctx.loop().now() - before, 300ms);
        EXPECT_EQ(o.status.to_string(), "UNAVAILABLE: payments: a fault of the configuration (peers.payments.fault)");
        EXPECT_FALSE(o.unsent);  // as if the peer had failed, so that the drill is one
        EXPECT_EQ(o.refused_by, RefusedBy::kNobody);
      },
      kVirtual);
  EXPECT_FALSE(reached);
  EXPECT_EQ(heard.all(), (std::vector<std::string>{"fault payments /shop.v1.Payments/Charge: payments: a fault of the "
                                                   "configuration (peers.payments.fault): a delay of 300ms: "
                                                   "UNAVAILABLE"}));
}

TEST(Fault, ADelayAloneLetsTheCallThroughAndHearsItsContext) {
  FaultSettings settings;
  settings.delay = 1s;
  auto service = fault("payments", settings)(taking(10ms));
  run(
      [&](Context& ctx) -> Task<void> {
        Time before = ctx.loop().now();
        Outcome o = co_await call(ctx, kCharge, *service);
        EXPECT_TRUE(o.status.is_ok());
        EXPECT_EQ(ctx.loop().now() - before, 1010ms);
        before = ctx.loop().now();
        Context brief(ctx, 100ms);
        o = co_await call(brief, kCharge, *service);
        EXPECT_EQ(o.status.code(), Code::kDeadlineExceeded);
        EXPECT_EQ(ctx.loop().now() - before, 100ms);
      },
      kVirtual);
}

}  // namespace
}  // namespace duplex::resilience
