// The bulkhead: places, their queue, and who is refused at once (conformance: a bounded queue, a wait bounded by the
// deadline, RESOURCE_EXHAUSTED and no timeout).
#include "duplex/resilience/limit.h"

#include <atomic>
#include <random>
#include <thread>

#include "resilience/limit_testing.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const Method kCharge{"/shop.v1.Payments/Charge", false, false};
const Method kWatch{"/shop.v1.Payments/Watch", false, true};

LimitSettings places(int64_t in_flight, int64_t queue) {
  LimitSettings s;
  s.in_flight = in_flight;
  s.queue = queue;
  return s;
}

struct Bed {
  explicit Bed(LimitSettings settings, std::shared_ptr<Service> peer)
      : memory(std::make_shared<Bulkhead>(settings)), service(limit("payments", settings, memory)(std::move(peer))) {}
  std::shared_ptr<Bulkhead> memory;
  std::shared_ptr<Service> service;
  Heard heard;
};

TEST(Limit, GivesPlacesInTheOrderOfComing) {
  std::vector<std::string> started;
  int under_way = 0, most = 0;
  Bed bed(places(2, 10), handler([&](Context& ctx, Call& c) -> Task<Outcome> {
            started.emplace_back(*c.metadata.find("n"));
            most = std::max(most, ++under_way);
            Status s = co_await sleep(ctx, 10ms);
            --under_way;
            co_return Outcome(std::move(s));
          }));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        const Time began = ctx.loop().now();
        for (int i = 0; i < 6; ++i)
          scope.spawn([&bed, i](Context& c) -> Task<void> {
            Metadata metadata;
            metadata.add("n", std::to_string(i));
            Outcome o = co_await call(c, kCharge, *bed.service, metadata);
            EXPECT_TRUE(o.status.is_ok());
          });
        EXPECT_EQ(bed.memory->snapshot().in_flight, 2);
        EXPECT_EQ(bed.memory->snapshot().waiting, 4);
        co_await scope.join();
        EXPECT_EQ(ctx.loop().now() - began, 30ms);
      },
      kVirtual);
  EXPECT_EQ(started, (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(most, 2);
  EXPECT_EQ(bed.memory->snapshot().in_flight, 0);
  EXPECT_EQ(bed.memory->snapshot().mean, 10ms);
}

TEST(Limit, RefusesAtOnceWhatFindsTheQueueFull) {
  Bed bed(places(1, 1), taking(10ms));
  run(
      [&](Context& root) -> Task<void> {
        Context ctx(root);
        ctx.put<Observer>(bed.heard);
        Scope scope(ctx);
        for (int i = 0; i < 2; ++i)
          scope.spawn([&](Context& c) -> Task<void> { co_await call(c, kCharge, *bed.service); });
        const Time before = ctx.loop().now();
        Outcome o = co_await call(ctx, kCharge, *bed.service);
        EXPECT_EQ(ctx.loop().now(), before);
        EXPECT_EQ(o.status.to_string(),
                  "RESOURCE_EXHAUSTED: payments: 1 calls are under way and 1 wait, and the limit is 1 and 1 "
                  "(peers.payments.limit)");
        EXPECT_EQ(o.refused_by, RefusedBy::kLimit);
        EXPECT_TRUE(o.unsent);
        co_await scope.join();
      },
      kVirtual);
  ASSERT_EQ(bed.heard.all().size(), 1u);
  EXPECT_TRUE(bed.heard.all()[0].starts_with("limit_refused payments /shop.v1.Payments/Charge: payments: 1 calls"));
  EXPECT_EQ(bed.memory->snapshot().refused, 1u);
}

TEST(Limit, RefusesAtOnceWhatCannotBeServedBeforeItsDeadline) {
  Bed bed(places(2, 100), taking(100ms));
  run(
      [&](Context& root) -> Task<void> {
        Context ctx(root);
        ctx.put<Observer>(bed.heard);
        co_await call(ctx, kCharge, *bed.service);  // the mean is known
        Scope scope(ctx);
        for (int i = 0; i < 6; ++i)  // 2 under way, 4 wait
          scope.spawn([&](Context& c) -> Task<void> { co_await call(c, kCharge, *bed.service); });
        const Time before = ctx.loop().now();
        // The fifth that waits comes on after 5 of them at two a 100 ms, and takes 100 ms: after 350 ms by the mean.
        Context hurried(ctx, 349ms);
        Outcome o = co_await call(hurried, kCharge, *bed.service);
        EXPECT_EQ(o.status.code(), Code::kResourceExhausted);
        EXPECT_EQ(o.status.message(),
                  "payments: 2 calls are under way and 4 wait: with 100ms a call, this one would end after its "
                  "deadline, which is in 349ms");
        EXPECT_EQ(o.refused_by, RefusedBy::kLimit);
        EXPECT_EQ(ctx.loop().now(), before);
        Context patient(ctx, 401ms);
        o = co_await call(patient, kCharge, *bed.service);
        EXPECT_TRUE(o.status.is_ok()) << o.status.to_string();
        co_await scope.join();
      },
      kVirtual);
}

TEST(Limit, AWaitHearsItsContextAndLeavesNoHole) {
  std::vector<std::string> started;
  Bed bed(places(1, 10), handler([&](Context& ctx, Call& c) -> Task<Outcome> {
            started.emplace_back(c.metadata.find("n").value_or("first"));
            Status s = co_await sleep(ctx, 100ms);
            co_return Outcome(std::move(s));
          }));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        Context middle(ctx);
        auto one = [&](Context& c, std::string n, Code expected) -> Task<void> {
          Metadata metadata;
          metadata.add("n", n);
          Outcome o = co_await call(c, kCharge, *bed.service, metadata);
          EXPECT_EQ(o.status.code(), expected) << n;
        };
        scope.spawn([&](Context& c) { return one(c, "a", Code::kOk); });
        scope.spawn([&](Context&) { return one(middle, "b", Code::kCancelled); });
        scope.spawn([&](Context& c) { return one(c, "c", Code::kOk); });
        Context late(ctx, 50ms);
        scope.spawn([&](Context&) { return one(late, "d", Code::kDeadlineExceeded); });
        middle.cancel(Status::cancelled("the caller has gone"));
        co_await sleep(ctx, 60ms);
        EXPECT_EQ(bed.memory->snapshot().waiting, 1);
        co_await scope.join();
      },
      kVirtual);
  EXPECT_EQ(started, (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(bed.memory->snapshot().in_flight, 0);
  EXPECT_EQ(bed.memory->snapshot().waiting, 0);
}

TEST(Limit, ACallThatIsCancelledWhileItWaitsSaysWhatItWaitedFor) {
  Bed bed(places(1, 10), taking(1s));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        scope.spawn([&](Context& c) -> Task<void> { co_await call(c, kCharge, *bed.service); });
        Context brief(ctx, 10ms);
        Outcome o = co_await call(brief, kCharge, *bed.service);
        EXPECT_EQ(o.status.to_string(),
                  "DEADLINE_EXCEEDED: payments: 1 calls are under way and 0 wait; while this one did: the deadline "
                  "passed");
        EXPECT_TRUE(o.unsent);
        co_await scope.join();
      },
      kVirtual);
}

TEST(Limit, AReloadKeepsWhatIsUnderWayAndWhatWaits) {
  int under_way = 0;
  Bed bed(places(4, 10), handler([&](Context& ctx, Call&) -> Task<Outcome> {
            ++under_way;
            Status s = co_await sleep(ctx, 100ms);
            --under_way;
            co_return Outcome(std::move(s));
          }));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        for (int i = 0; i < 7; ++i)
          scope.spawn([&](Context& c) -> Task<void> {
            Outcome o = co_await call(c, kCharge, *bed.service);
            EXPECT_TRUE(o.status.is_ok());
          });
        EXPECT_EQ(under_way, 4);
        bed.memory->set(places(1, 0));
        EXPECT_EQ(bed.memory->snapshot().waiting, 3);
        co_await sleep(ctx, 150ms);
        EXPECT_EQ(under_way, 1);
        bed.memory->set(places(3, 0));  // those who wait need no other's end
        co_await yield(ctx);
        EXPECT_EQ(under_way, 3);
        co_await scope.join();
      },
      kVirtual);
}

TEST(Limit, AStreamHoldsAPlaceButItsLengthTellsNothing) {
  Bed bed(places(1, 0), taking(10s));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        scope.spawn([&](Context& c) -> Task<void> { co_await call(c, kWatch, *bed.service); });
        Outcome o = co_await call(ctx, kCharge, *bed.service);
        EXPECT_EQ(o.refused_by, RefusedBy::kLimit);
        co_await scope.join();
      },
      kVirtual);
  EXPECT_EQ(bed.memory->snapshot().mean, Duration::zero());
}

TEST(Limit, AnExceptionGivesItsPlaceBack) {
  Bed bed(places(1, 0), handler([](Context&, Call&) -> Task<Outcome> {
            throw std::runtime_error("boom");
            co_return Outcome();
          }));
  EXPECT_THROW(run([&](Context& ctx) -> Task<void> { co_await call(ctx, kCharge, *bed.service); }), std::runtime_error);
  EXPECT_EQ(bed.memory->snapshot().in_flight, 0);
}

// Random histories: calls come, are cancelled, end, and the limit changes. After each step nobody waits for a place
// that is free, no more are under way than were ever allowed at once, and who came first is served first.
TEST(LimitProperty, HoldsOverRandomHistories) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 chance(seed);
    auto pick = [&](int from, int to) { return std::uniform_int_distribution(from, to)(chance); };
    int64_t limit_now = pick(1, 5);
    int last_started = -1, under_way = 0, ended = 0, refused = 0, cancelled = 0;
    Bed bed(places(limit_now, pick(0, 8)), handler([&](Context& ctx, Call& c) -> Task<Outcome> {
              const int n = std::stoi(std::string(*c.metadata.find("n")));
              EXPECT_GT(n, last_started) << "seed " << seed;
              last_started = n;
              ++under_way;
              Status s = co_await sleep(ctx, std::chrono::milliseconds(pick(1, 30)));
              --under_way;
              co_return Outcome(std::move(s));
            }));
    constexpr int kCalls = 150;
    run(
        [&](Context& ctx) -> Task<void> {
          Scope scope(ctx);
          for (int i = 0; i < kCalls; ++i) {
            scope.spawn([&, i](Context& c) -> Task<void> {
              Context own(c, std::chrono::milliseconds(pick(1, 100)));
              Metadata metadata;
              metadata.add("n", std::to_string(i));
              Outcome o = co_await call(own, kCharge, *bed.service, metadata);
              ++(o.status.is_ok() ? ended : o.refused_by == RefusedBy::kLimit ? refused : cancelled);
            });
            const int64_t before = under_way;
            if (pick(0, 9) == 0) {
              limit_now = pick(1, 5);
              bed.memory->set(places(limit_now, pick(0, 8)));
            }
            co_await sleep(ctx, std::chrono::milliseconds(pick(0, 8)));
            co_await yield(ctx);
            co_await yield(ctx);
            const Bulkhead::Snapshot now = bed.memory->snapshot();
            EXPECT_LE(under_way, std::max(limit_now, before)) << "seed " << seed;
            EXPECT_TRUE(now.waiting == 0 || now.in_flight >= limit_now) << "seed " << seed;
          }
          co_await scope.join();
        },
        kVirtual);
    EXPECT_EQ(ended + refused + cancelled, kCalls);
    EXPECT_EQ(bed.memory->snapshot().in_flight, 0);
    EXPECT_EQ(bed.memory->snapshot().waiting, 0);
  }
}

// Of 130 places threads keep some for their next call, of 3 none.
class LimitThreads : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Of, LimitThreads, ::testing::Values(3, 130));

TEST(LimitKept, APlaceThatAThreadKeepsGoesToWhoWaitsForItElsewhere) {
  Bulkhead bulkhead(places(64, 10));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bulkhead.try_enter());
  bulkhead.leave(1ms);  // two are under way here, and one place is kept
  EXPECT_EQ(bulkhead.snapshot().in_flight, 2);
  std::thread other([&] {
    run([&](Context& ctx) -> Task<void> {
      for (int i = 0; i < 61; ++i) EXPECT_TRUE(bulkhead.try_enter());
      EXPECT_FALSE(bulkhead.try_enter());
      for (int i = 0; i < 2; ++i) {
        Bulkhead::Turn turn(bulkhead, ctx);
        const Bulkhead::Entry entry = co_await turn;
        EXPECT_EQ(entry, Bulkhead::Entry::kEntered);
      }
      for (int i = 0; i < 63; ++i) bulkhead.leave(1ms);
    });
  });
  while (bulkhead.snapshot().waiting == 0) std::this_thread::yield();
  bulkhead.leave(1ms);
  other.join();
  EXPECT_EQ(bulkhead.snapshot().in_flight, 1);
  bulkhead.leave(1ms);
  EXPECT_EQ(bulkhead.snapshot().in_flight, 0);
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(bulkhead.try_enter()) << i;
  EXPECT_FALSE(bulkhead.try_enter());
}

TEST(LimitKept, NoneIsKeptPastALimitThatHasFallen) {
  Bulkhead bulkhead(places(200, 0));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(bulkhead.try_enter());
  for (int i = 0; i < 3; ++i) bulkhead.leave(1ms);
  bulkhead.set(places(70, 0));
  EXPECT_FALSE(bulkhead.try_enter());
  for (int i = 0; i < 28; ++i) bulkhead.leave(1ms);
  EXPECT_EQ(bulkhead.snapshot().in_flight, 69);
  EXPECT_TRUE(bulkhead.try_enter());
  EXPECT_FALSE(bulkhead.try_enter());
}

TEST_P(LimitThreads, NoPlaceIsGivenTwiceOrLostOverManyLoops) {
  constexpr int kLoops = 4, kCalls = 600;
  const int64_t kPlaces = GetParam();
  const auto at_once = static_cast<size_t>(kPlaces);  // of each loop, so that there are always some that wait
  std::atomic<int> under_way{0}, most{0}, ended{0}, refused{0}, cancelled{0};
  auto service = handler([&](Context& ctx, Call&) -> Task<Outcome> {
    const int now = ++under_way;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    Status s = co_await yield(ctx);
    --under_way;
    co_return Outcome(std::move(s));
  });
  auto memory = std::make_shared<Bulkhead>(places(kPlaces, 1000));
  auto limited = limit("payments", places(kPlaces, 1000), memory)(service);
  std::vector<std::thread> threads;
  for (int t = 0; t < kLoops; ++t)
    threads.emplace_back([&, t] {
      run([&](Context& ctx) -> Task<void> {
        std::mt19937 chance(static_cast<unsigned>(t));
        Scope scope(ctx);
        for (int i = 0; i < kCalls; ++i) {
          const bool gone = chance() % 4 == 0;
          scope.spawn([&, gone](Context& c) -> Task<void> {
            Context own(c);
            Scope leaver(c);
            if (gone)
              leaver.spawn([&own](Context& mine) -> Task<void> {
                static_cast<void>(co_await yield(mine));
                own.cancel(Status::cancelled("gone"));
              });
            Outcome o = co_await call(own, kCharge, *limited);
            ++(o.status.is_ok() ? ended : o.refused_by == RefusedBy::kLimit ? refused : cancelled);
            co_await leaver.join();
          });
          while (scope.running() > at_once) static_cast<void>(co_await yield(ctx));
          if (i % 100 == 0) memory->set(places(kPlaces, 1000));
        }
        co_await scope.join();
      });
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended + refused + cancelled, kLoops * kCalls);
  EXPECT_EQ(refused, 0);
  EXPECT_GE(ended, kLoops * kCalls / 2);
  EXPECT_LE(most, kPlaces);
  EXPECT_EQ(memory->snapshot().in_flight, 0);
  EXPECT_EQ(memory->snapshot().waiting, 0);
}

}  // namespace
}  // namespace duplex::resilience
