// The filter and its memory, on virtual time.
#include <gtest/gtest.h>

#include <stdexcept>

#include "duplex/resilience/breaker.h"
#include "duplex/resilience/event.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/wait.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using State = CircuitBreaker::State;

constexpr Loop::Options kVirtual{.virtual_time = true};

// A peer that answers as it is told, and counts what reaches it.
class Peer final : public Service {
 public:
  Task<Outcome> call(Context& ctx, Call&) override {
    ++calls;
    return answer(ctx);
  }
  Outcome outcome;
  Duration takes{};
  bool throws = false;
  int calls = 0;

 private:
  Task<Outcome> answer(Context& ctx) {
    const Outcome mine = outcome;
    if (throws) throw std::runtime_error("no memory");
    if (takes > Duration::zero()) {
      Status slept = co_await sleep(ctx, takes);
      if (!slept.is_ok()) co_return slept;
    }
    co_return mine;
  }
};

class Events final : public Observer {
 public:
  void on(Context&, const Event& event) override {
    seen.push_back(std::string(event_name(event.kind)) + " " + std::string(event.peer) + " " +
                   std::string(event.method) + (event.text.empty() ? "" : ": " + event.text));
  }
  std::vector<std::string> seen;
};

BreakerSettings small() {
  BreakerSettings s;
  s.window.calls = 4;
  s.minimum = 4;
  s.open_for = 5s;
  s.probes = 2;
  s.slow_call = 1s;
  return s;
}

struct Bed {
  explicit Bed(const BreakerSettings& settings = small()) : service(breaker("shop", settings, memory)(peer)) {}

  Task<Outcome> call(Context& root, const Method& m) {
    Context ctx(root);
    ctx.put<Observer>(events);
    co_return co_await made(ctx, m);
  }
  Task<Outcome> made(Context& ctx, const Method& m) {
    One in{Message()};
    Keep out;
    Call c(m, {}, in, out);
    co_return co_await service->call(ctx, c);
  }
  Task<void> calls(Context& root, int n) {
    for (int i = 0; i < n; ++i) co_await call(root, get);
  }
  CircuitBreaker::Snapshot of(Context& ctx, const std::string& method = "/shop.v1.Orders/GetOrder") {
    for (Breakers::OfMethod& seen : memory->snapshot(ctx.loop().now()))
      if (seen.method == method) return seen.breaker;
    ADD_FAILURE() << "no breaker of " << method;
    return {};
  }

  Method get{"/shop.v1.Orders/GetOrder", false, false};
  Method put{"/shop.v1.Orders/PutOrder", false, false};
  Method watch{"/shop.v1.Orders/Watch", false, true};
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  std::shared_ptr<Breakers> memory = std::make_shared<Breakers>();
  Events events;
  std::shared_ptr<Service> service;
};

template <class F>
void on_loop(F f) {
  run([&](Context& ctx) -> Task<void> { co_await f(ctx); }, kVirtual);
}

TEST(BreakerFilter, ItRefusesAtOnceAndAsksNobody) {
  Bed bed;
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 4);
    co_await sleep(ctx, 1800ms);
    const Time before = ctx.loop().now();
    Outcome o = co_await bed.call(ctx, bed.get);
    EXPECT_EQ(ctx.loop().now(), before);
    EXPECT_EQ(bed.peer->calls, 4);
    EXPECT_EQ(o.status.code(), Code::kUnavailable);
    EXPECT_EQ(o.status.message(),
              "shop: the circuit breaker of /shop.v1.Orders/GetOrder is open for another 3.2s after 4 of 4 calls "
              "failed");
    EXPECT_EQ(o.refused_by, RefusedBy::kBreaker);
    EXPECT_TRUE(o.unsent);
    EXPECT_EQ(o.trailers.find("retry-after"), "4");  // whole seconds, never too early
  });
}

TEST(BreakerFilter, ItTellsWhatItDoes) {
  Bed bed;
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 5);
    co_await sleep(ctx, 5001ms);
    co_await bed.calls(ctx, 2);
    co_await sleep(ctx, 5001ms);
    bed.peer->outcome = Outcome();
    co_await bed.calls(ctx, 3);
  });
  const std::string method = " shop /shop.v1.Orders/GetOrder";
  EXPECT_EQ(bed.events.seen, (std::vector<std::string>{"breaker_opened" + method + ": 4 of 4 calls failed",
                                                       "breaker_refused" + method, "breaker_half_opened" + method,
                                                       "breaker_opened" + method + ": 2 of 2 calls failed",
                                                       "breaker_half_opened" + method, "breaker_closed" + method}));
}

TEST(BreakerFilter, EachMethodHasItsOwn) {
  Bed bed;
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 4);
    Outcome o = co_await bed.call(ctx, bed.put);
    EXPECT_EQ(o.refused_by, RefusedBy::kNobody);
    EXPECT_EQ(bed.of(ctx).state, State::kOpen);
    EXPECT_EQ(bed.of(ctx, bed.put.name).state, State::kClosed);
    std::vector<Breakers::OfMethod> all = bed.memory->snapshot(ctx.loop().now());
    EXPECT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].method, bed.get.name);
  });
}

// What each outcome is to the breaker.
struct Judged {
  Outcome outcome;
  int counted, failed;
};
class BreakerJudges : public testing::TestWithParam<Judged> {};

TEST_P(BreakerJudges, AnOutcome) {
  Bed bed;
  bed.peer->outcome = GetParam().outcome;
  on_loop([&](Context& ctx) -> Task<void> {
    Outcome o = co_await bed.call(ctx, bed.get);
    EXPECT_EQ(o.status.code(), GetParam().outcome.status.code());  // as it was
    EXPECT_EQ(bed.of(ctx).counts,
              (CallCounts{static_cast<uint32_t>(GetParam().counted), static_cast<uint32_t>(GetParam().failed), 0}));
  });
}

Outcome of_http(Status status, int16_t http) {
  Outcome o(std::move(status));
  o.http_status = http;
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    All, BreakerJudges,
    testing::Values(Judged{Outcome(), 1, 0}, Judged{Status::unavailable(""), 1, 1},
                    Judged{Status::deadline_exceeded(""), 1, 1}, Judged{Status::internal(""), 1, 1},
                    Judged{Status::unknown(""), 1, 1}, Judged{Status::data_loss(""), 1, 1},
                    // The caller's own doing.
                    Judged{Status::invalid_argument(""), 1, 0}, Judged{Status::not_found(""), 1, 0},
                    Judged{Status::permission_denied(""), 1, 0}, Judged{Status::unauthenticated(""), 1, 0},
                    Judged{Status::failed_precondition(""), 1, 0}, Judged{Status::already_exists(""), 1, 0},
                    Judged{Status::resource_exhausted(""), 1, 0}, Judged{Status::cancelled(""), 1, 0},
                    Judged{of_http(Status::invalid_argument(""), 400), 1, 0},
                    Judged{of_http(Status::not_found(""), 404), 1, 0},
                    Judged{of_http(Status::unavailable(""), 503), 1, 1},
                    Judged{Outcome::never_sent(Status::unavailable("no connection")), 1, 1},
                    // What our own side refused says nothing of the peer.
                    Judged{Outcome::refused(Status::resource_exhausted(""), RefusedBy::kLimit), 0, 0},
                    Judged{Outcome::refused(Status::unavailable(""), RefusedBy::kBreaker), 0, 0}));

TEST(BreakerFilter, FailuresAreWhatTheSettingsCallSo) {
  BreakerSettings s = small();
  s.failures = {Cause::of(Code::kResourceExhausted), Cause::http(404)};
  Bed bed(s);
  on_loop([&](Context& ctx) -> Task<void> {
    for (const Outcome& outcome : {Outcome(Status::resource_exhausted("")), of_http(Status::not_found(""), 404),
                                   Outcome(Status::unavailable(""))}) {
      bed.peer->outcome = outcome;
      co_await bed.call(ctx, bed.get);
    }
    EXPECT_EQ(bed.of(ctx).counts, (CallCounts{3, 2, 0}));
  });
}

// A plain exchange that went through is OK to who asked, whatever its status.
TEST(BreakerFilter, AnHttpStatusThatTheSettingsNameIsAFailureThoughTheExchangeIsOk) {
  BreakerSettings s = small();
  s.failures = {Cause::http(500), Cause::http(503)};
  Bed bed(s);
  on_loop([&](Context& ctx) -> Task<void> {
    for (int16_t http : {500, 501, 503}) {
      bed.peer->outcome = of_http(Status(), http);
      Outcome o = co_await bed.call(ctx, bed.get);
      EXPECT_TRUE(o.status.is_ok());
    }
    EXPECT_EQ(bed.of(ctx).counts, (CallCounts{3, 2, 0}));
  });
}

TEST(BreakerFilter, ACallersOwnCancelCountsNeitherWayAndItsDeadlineDoes) {
  Bed bed;
  bed.peer->takes = 10s;
  on_loop([&](Context& root) -> Task<void> {
    {
      Context ctx(root);
      Scope scope(root);
      scope.spawn([&](Context& own) -> Task<void> {
        co_await sleep(own, 10ms);
        ctx.cancel(Status::cancelled("the caller has gone"));
      });
      Outcome o = co_await bed.made(ctx, bed.get);
      EXPECT_EQ(o.status.code(), Code::kCancelled);
      co_await scope.join();
    }
    EXPECT_EQ(bed.of(root).counts, CallCounts());
    Context ctx(root, 100ms);
    Outcome o = co_await bed.made(ctx, bed.get);
    EXPECT_EQ(o.status.code(), Code::kDeadlineExceeded);
    EXPECT_EQ(bed.of(root).counts, (CallCounts{1, 1, 0}));
    // By then nobody wants an answer: the peer is not asked, and nothing is counted.
    o = co_await bed.made(ctx, bed.get);
    EXPECT_EQ(o.status.code(), Code::kDeadlineExceeded);
    EXPECT_TRUE(o.unsent);
    EXPECT_EQ(bed.peer->calls, 2);
    EXPECT_EQ(bed.of(root).counts, (CallCounts{1, 1, 0}));
  });
}

TEST(BreakerFilter, OnlyUnaryCallsAreSlow) {
  Bed bed;
  bed.peer->takes = 2s;
  on_loop([&](Context& ctx) -> Task<void> {
    co_await bed.call(ctx, bed.get);
    co_await bed.call(ctx, bed.watch);
    EXPECT_EQ(bed.of(ctx).counts, (CallCounts{1, 0, 1}));
    EXPECT_EQ(bed.of(ctx, bed.watch.name).counts, (CallCounts{1, 0, 0}));
  });
}

TEST(BreakerFilter, AStreamCountsWhenItIsOver) {
  Bed bed;
  bed.peer->takes = 3s;
  bed.peer->outcome = Status::unavailable("lost");
  on_loop([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    scope.spawn([&](Context& own) -> Task<void> { co_await bed.call(own, bed.watch); });
    co_await sleep(ctx, 2s);
    EXPECT_EQ(bed.of(ctx, bed.watch.name).counts, CallCounts());
    co_await scope.join();
    EXPECT_EQ(bed.of(ctx, bed.watch.name).counts, (CallCounts{1, 1, 0}));
  });
}

TEST(BreakerFilter, AProbeThatThrowsGivesItsPlaceBack) {
  Bed bed;
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 4);
    co_await sleep(ctx, 6s);
    bed.peer->throws = true;
    bool thrown = false;
    try {
      co_await bed.call(ctx, bed.get);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    EXPECT_EQ(bed.of(ctx).state, State::kHalfOpen);
    EXPECT_EQ(bed.of(ctx).probes_left, 2u);
  });
}

TEST(BreakerFilter, HalfOpenItSaysWhyItRefuses) {
  Bed bed;
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 4);
    co_await sleep(ctx, 6s);
    bed.peer->takes = 1s;
    Scope scope(ctx);
    for (int i = 0; i < 2; ++i) scope.spawn([&](Context& own) -> Task<void> { co_await bed.call(own, bed.get); });
    co_await yield(ctx);
    Outcome o = co_await bed.call(ctx, bed.get);
    EXPECT_EQ(o.status.message(),
              "shop: the circuit breaker of /shop.v1.Orders/GetOrder tries as many calls as it may and waits for their "
              "end, after 4 of 4 calls failed");
    EXPECT_EQ(o.trailers.find("retry-after"), "1");
    co_await scope.join();
  });
}

TEST(BreakerFilter, AReloadGoesOnWhereItWas) {
  Bed bed;
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 4);
    BreakerSettings s = small();
    s.open_for = 1min;
    std::shared_ptr<Service> old = bed.service;
    bed.service = breaker("shop", s, bed.memory)(bed.peer);
    Outcome o = co_await bed.call(ctx, bed.get);
    EXPECT_EQ(o.refused_by, RefusedBy::kBreaker);
    EXPECT_EQ(bed.of(ctx).next_change, ctx.loop().now() + 1min);
    // A call that is still in the old chain does not bring the old settings back.
    bed.service = old;
    o = co_await bed.call(ctx, bed.get);
    EXPECT_EQ(o.trailers.find("retry-after"), "60");
  });
}

TEST(BreakerFilter, WithoutAMemoryItHasItsOwn) {
  Bed bed;
  bed.service = breaker("shop", small(), nullptr)(bed.peer);
  on_loop([&](Context& ctx) -> Task<void> {
    bed.peer->outcome = Status::unavailable("gone");
    co_await bed.calls(ctx, 5);
    EXPECT_EQ(bed.peer->calls, 4);
    EXPECT_TRUE(bed.memory->snapshot(ctx.loop().now()).empty());
  });
}

TEST(Breakers, AreBounded) {
  Breakers breakers;
  const Breakers::Brought brought = breakers.bring(small());
  for (size_t i = 0; i < Breakers::kMost + 10; ++i) breakers.of("/m/" + std::to_string(i), brought);
  EXPECT_EQ(breakers.snapshot(Time{}).size(), Breakers::kMost + 1);
  EXPECT_EQ(&breakers.of("/m/new", brought), &breakers.of(Breakers::kOthers, brought));
  EXPECT_EQ(&breakers.of("/m/7", brought), &breakers.of("/m/7", brought));
  EXPECT_NE(&breakers.of("/m/7", brought), &breakers.of("/m/8", brought));
}

}  // namespace
}  // namespace duplex::resilience
