// How many attempts reach an origin that fails every one of them, for each call that somebody made: with retry budgets
// and without, one hop away and three.
#include <gtest/gtest.h>

#include <cstdio>

#include "duplex/resilience/retry.h"
#include "resilience/limit_testing.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const Method kGet{"/shop.v1.Orders/GetOrder", false, false, Idempotency::kNoSideEffects};

// Attempts at the origin for each call, over 60 virtual seconds of `rate` calls a second. Each hop is a service that
// calls the next one, and retries with the defaults: three attempts, and a budget of its own.
double amplification(int hops, bool budgets, int rate) {
  int64_t at_origin = 0, calls = 0, failed = 0;
  std::shared_ptr<Service> next = handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    ++at_origin;
    static_cast<void>(co_await c.in->next(ctx));
    static_cast<void>(co_await sleep(ctx, 2ms));
    co_return Outcome(Status::unavailable("down"));
  });
  for (int i = 0; i < hops; ++i) {
    std::shared_ptr<Budget> budget;
    if (budgets) budget = std::make_shared<RetryBudget>(BudgetSettings());
    next = retry("next", RetrySettings(), budget)(std::move(next));
  }
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        const Time end = ctx.loop().now() + 60s;
        const Duration gap = Duration(1s) / rate;
        for (Time at = ctx.loop().now(); at < end; at += gap) {
          static_cast<void>(co_await sleep_until(ctx, at));
          ++calls;
          scope.spawn([&](Context& c) -> Task<void> {
            Context own(c, 15s);
            Outcome o = co_await call(own, kGet, *next);
            failed += o.status.code() == Code::kUnavailable;
          });
        }
        co_await scope.join();
      },
      kVirtual);
  EXPECT_EQ(failed, calls);
  const double shown = static_cast<double>(at_origin) / static_cast<double>(calls);
  std::printf("%d %s, budgets %s: %.3f attempts a call over 60 s at %d calls/s\n", hops, hops == 1 ? "hop" : "hops",
              budgets ? "on" : "off", shown, rate);
  return shown;
}

TEST(Amplification, OfOneHopIsAtMostAFifthWithABudgetAndThreefoldWithout) {
  EXPECT_LE(amplification(1, true, 200), 1.2);
  EXPECT_GT(amplification(1, false, 200), 2.99);
}

TEST(Amplification, OfThreeHopsStaysBelowOneAndThreeQuartersAndIs27FoldWithout) {
  EXPECT_LE(amplification(3, true, 200), 1.75);
  EXPECT_GT(amplification(3, false, 200), 26.9);
}

// The floor is for peers that are seldom called: there it, and no share, is what may be added.
TEST(Amplification, OfFewCallsIsBoundByTheFloor) {
  const double calls = 60 * 20, floor = 10 * (60 + 10);  // of the window before the end, once more
  EXPECT_LE(amplification(1, true, 20), 1 + floor / calls);
}

}  // namespace
}  // namespace duplex::resilience
