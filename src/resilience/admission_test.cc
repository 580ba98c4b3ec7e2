// Which calls a server takes on: fixed and adaptive limits, shedding by priority and evenly (conformance: shed with
// RESOURCE_EXHAUSTED, not by timeout; RetryInfo, Retry-After and pushback).
#include "duplex/resilience/admission.h"

#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>
#include <thread>

#include "resilience/adaptive_limit.h"
#include "resilience/limit_testing.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const Method kGet{"/shop.v1.Orders/GetOrder", false, false};
const Method kWatch{"/shop.v1.Orders/Watch", false, true};

ServerLimitSettings fixed(int64_t in_flight) {
  ServerLimitSettings s;
  s.in_flight = in_flight;
  return s;
}
ServerLimitSettings adaptive(int64_t start = 20) {
  ServerLimitSettings s;
  s.adaptive.emplace().start = start;
  return s;
}
Metadata priority(int p) {
  Metadata m;
  m.add("x-priority", std::to_string(p));
  return m;
}

// A service that can do so many things at a time; the others wait in the order of their coming.
class Worker {
 public:
  Worker(int at_once, Duration takes) : free_(at_once), takes_(takes) {}
  std::shared_ptr<Service> service() {
    return handler([this](Context& ctx, Call&) -> Task<Outcome> {
      while (free_ == 0)
        if (Status s = co_await changed_.wait(ctx); !s.is_ok()) co_return Outcome(std::move(s));
      --free_;
      Status s = co_await sleep(ctx, takes_);
      ++free_;
      changed_.notify_one();
      co_return Outcome(std::move(s));
    });
  }
  void set_takes(Duration takes) { takes_ = takes; }

 private:
  int free_;
  Duration takes_;
  Notifier changed_;
};

// What callers saw in a span of time.
struct Seen {
  int64_t served[Admission::kPriorities] = {}, refused[Admission::kPriorities] = {};
  double latency = 0;  // ns, of all served together
  int64_t all_served() const { return std::accumulate(std::begin(served), std::end(served), int64_t{0}); }
  int64_t all_refused() const { return std::accumulate(std::begin(refused), std::end(refused), int64_t{0}); }
  Duration mean() const { return Duration(static_cast<int64_t>(latency / static_cast<double>(all_served()))); }
};

// Calls that come by chance (a Poisson process), `rate` a second for `span`; those of the first `settling` do not
// count.
Task<Seen> offer(
    Context& ctx, Service& service, double rate, Duration span, Duration settling,
    std::function<int(std::mt19937&)> choose = [](std::mt19937&) { return 5; }) {
  Seen seen;
  std::mt19937 chance(7);
  std::exponential_distribution<double> gap(rate);
  Scope scope(ctx);
  const Time began = ctx.loop().now(), counted = began + settling;
  for (double at = gap(chance); at < std::chrono::duration<double>(span).count(); at += gap(chance)) {
    static_cast<void>(co_await sleep_until(ctx, began + Duration(static_cast<int64_t>(at * 1e9))));
    const int p = choose(chance);
    scope.spawn([&, p](Context& c) -> Task<void> {
      const Time start = c.loop().now();
      Outcome o = co_await call(c, kGet, service, priority(p));
      if (start < counted) co_return;
      ++(o.status.is_ok() ? seen.served : seen.refused)[p];
      if (o.status.is_ok()) seen.latency += static_cast<double>((c.loop().now() - start).count());
    });
  }
  co_await scope.join();
  co_return seen;
}

TEST(Admit, RefusesAtOnceWhatIsPastAFixedLimitAndSaysWhenToComeAgain) {
  auto memory = std::make_shared<Admission>(fixed(2));
  auto service = admit(fixed(2), memory)(taking(10ms));
  Heard heard;
  run(
      [&](Context& root) -> Task<void> {
        Context ctx(root);
        ctx.put<Observer>(heard);
        Scope scope(ctx);
        for (int i = 0; i < 2; ++i)
          scope.spawn([&](Context& c) -> Task<void> {
            Outcome o = co_await call(c, kGet, *service);
            EXPECT_TRUE(o.status.is_ok());
          });
        const Time before = ctx.loop().now();
        Outcome o = co_await call(ctx, kGet, *service);
        EXPECT_EQ(ctx.loop().now(), before);
        EXPECT_EQ(o.status.to_string(),
                  "RESOURCE_EXHAUSTED: the server has as many calls under way as it can serve in time; ask again in "
                  "1s");
        EXPECT_EQ(o.trailers.find("retry-after"), "1");
        EXPECT_EQ(o.trailers.find("grpc-retry-pushback-ms"), "1000");
        EXPECT_EQ(o.refused_by, RefusedBy::kNobody);  // that is for our own calls to others
        EXPECT_EQ(o.status.details().size(), 1u);
        EXPECT_EQ(o.status.details()[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
        co_await scope.join();
        o = co_await call(ctx, kGet, *service);
        EXPECT_TRUE(o.status.is_ok());
      },
      kVirtual);
  ASSERT_EQ(heard.all().size(), 1u);
  EXPECT_TRUE(heard.all()[0].starts_with("shed  /shop.v1.Orders/GetOrder: the server has"));
  const Admission::Snapshot now = memory->snapshot();
  EXPECT_EQ(now.in_flight, 0);
  EXPECT_EQ(now.admitted, 3u);
  EXPECT_EQ(now.shed, 1u);
}

TEST(Admit, WithNoLimitTakesEverything) {
  auto memory = std::make_shared<Admission>(fixed(0));
  auto service = admit(fixed(0), memory)(taking(1ms));
  run(
      [&](Context& ctx) -> Task<void> {
        Seen seen = co_await offer(ctx, *service, 10'000, 1s, 0s);
        EXPECT_EQ(seen.all_refused(), 0);
      },
      kVirtual);
}

TEST(Admit, AReloadKeepsWhatIsUnderWay) {
  auto memory = std::make_shared<Admission>(fixed(3));
  auto before = admit(fixed(3), memory)(taking(10ms));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        for (int i = 0; i < 3; ++i)
          scope.spawn([&](Context& c) -> Task<void> {
            Outcome o = co_await call(c, kGet, *before);
            EXPECT_TRUE(o.status.is_ok());
          });
        auto now = admit(fixed(1), memory)(taking(10ms));
        Outcome o = co_await call(ctx, kGet, *now);
        EXPECT_EQ(o.status.code(), Code::kResourceExhausted);
        EXPECT_EQ(memory->snapshot().in_flight, 3);
        co_await scope.join();
        o = co_await call(ctx, kGet, *now);
        EXPECT_TRUE(o.status.is_ok());
      },
      kVirtual);
}

TEST(Admit, AnExceptionGivesItsPlaceBack) {
  auto memory = std::make_shared<Admission>(fixed(1));
  auto service = admit(fixed(1), memory)(handler([](Context&, Call&) -> Task<Outcome> {
    throw std::runtime_error("boom");
    co_return Outcome();
  }));
  EXPECT_THROW(run([&](Context& ctx) -> Task<void> { co_await call(ctx, kGet, *service); }), std::runtime_error);
  EXPECT_EQ(memory->snapshot().in_flight, 0);
}

TEST(Admit, AStreamTakesAPlaceButItsLengthTellsNothing) {
  auto memory = std::make_shared<Admission>(adaptive(4));
  auto service = admit(adaptive(4), memory)(taking(5s));
  run(
      [&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        for (int i = 0; i < 4; ++i) scope.spawn([&](Context& c) -> Task<void> { co_await call(c, kWatch, *service); });
        Outcome o = co_await call(ctx, kGet, *service);
        EXPECT_EQ(o.status.code(), Code::kResourceExhausted);
        co_await scope.join();
        for (int i = 0; i < 20; ++i) {  // windows pass
          co_await call(ctx, kWatch, *service);
        }
      },
      kVirtual);
  EXPECT_EQ(memory->snapshot().usual, Duration::zero());
}

TEST(Admit, APriorityIsOneDigitElseFive) {
  EXPECT_EQ(priority_of(priority(0)), 0);
  EXPECT_EQ(priority_of(priority(9)), 9);
  for (const char* other : {"", "10", "-1", "a", " 3", "3 ", "high"}) {
    Metadata m;
    m.add("x-priority", other);
    EXPECT_EQ(priority_of(m), 5) << other;
  }
  EXPECT_EQ(priority_of(Metadata()), 5);
}

// Three times of what can be served, of all priorities alike: 0 to 2 are three tenths, which nearly fill it.
TEST(Admit, ShedsTheLeastImportantFirst) {
  for (const ServerLimitSettings& settings : {fixed(12), adaptive()}) {
    Worker worker(8, 10ms);
    auto memory = std::make_shared<Admission>(settings);
    auto service = admit(settings, memory)(worker.service());
    run(
        [&](Context& ctx) -> Task<void> {
          auto any = [](std::mt19937& chance) { return static_cast<int>(chance() % 10); };
          Seen seen = co_await offer(ctx, *service, 2400, 20s, 2s, any);
          auto share = [&](int p) {
            return static_cast<double>(seen.served[p]) / static_cast<double>(seen.served[p] + seen.refused[p]);
          };
          for (int p = 0; p <= 2; ++p) EXPECT_GT(share(p), 0.95) << p;
          for (int p = 4; p <= 9; ++p) EXPECT_LT(share(p), 0.05) << p;
          EXPECT_GT(seen.all_served(), 18 * 800 * 0.9);  // none of it is kept back for who does not come
        },
        kVirtual);
  }
}

TEST(Admit, ShedsEvenlyIfToldTo) {
  ServerLimitSettings settings = fixed(12);
  settings.shed = Shed::kEvenly;
  Worker worker(8, 10ms);
  auto service = admit(settings, std::make_shared<Admission>(settings))(worker.service());
  run(
      [&](Context& ctx) -> Task<void> {
        auto any = [](std::mt19937& chance) { return static_cast<int>(chance() % 10); };
        Seen seen = co_await offer(ctx, *service, 2400, 20s, 2s, any);
        for (int p = 0; p <= 9; ++p) {
          const auto all = static_cast<double>(seen.served[p] + seen.refused[p]);
          EXPECT_NEAR(static_cast<double>(seen.served[p]) / all, 1.0 / 3, 0.05) << p;
        }
      },
      kVirtual);
}

// Whatever a service can do, an adaptive limit finds it: the capacity is used, and calls do not wait for one another.
TEST(AdaptiveAdmission, InOverloadServesWhatItCanAsFastAsItUsuallyDoes) {
  struct Case {
    int at_once;
    Duration takes;
    double overload;
  };
  for (const Case& it : {Case{8, 10ms, 10}, Case{1, 5ms, 5}, Case{64, 20ms, 3}, Case{200, 100ms, 2}, Case{8, 1s, 4}}) {
    Worker worker(it.at_once, it.takes);
    auto memory = std::make_shared<Admission>(adaptive());
    auto service = admit(adaptive(), memory)(worker.service());
    const double capacity = it.at_once / std::chrono::duration<double>(it.takes).count();
    run(
        [&](Context& ctx) -> Task<void> {
          co_await offer(ctx, *service, capacity / 4, 20s, 0s);
          Seen seen = co_await offer(ctx, *service, capacity * it.overload, 40s, 20s);
          EXPECT_GT(static_cast<double>(seen.all_served()) / 20, 0.9 * capacity)
              << it.at_once << " limit " << memory->snapshot().limit;
          EXPECT_LT(seen.mean(), 4 * it.takes + 10ms) << it.at_once << " limit " << memory->snapshot().limit;
          seen = co_await offer(ctx, *service, capacity / 4, 20s, 1s);
          EXPECT_LE(seen.all_refused(), seen.all_served() / 100) << it.at_once;  // and it is over when it is over
        },
        kVirtual);
  }
}

TEST(AdaptiveAdmission, ThatStartsInAnOverloadFindsOutThatItIsOne) {
  Worker worker(8, 10ms);
  auto memory = std::make_shared<Admission>(adaptive(200));
  auto service = admit(adaptive(200), memory)(worker.service());
  run(
      [&](Context& ctx) -> Task<void> {
        Seen seen = co_await offer(ctx, *service, 4000, 120s, 60s);
        EXPECT_GT(seen.all_served(), 60 * 800 * 0.9);
        EXPECT_LT(seen.mean(), 50ms) << "limit " << memory->snapshot().limit;
      },
      kVirtual);
}

TEST(AdaptiveAdmission, DoesNotStarveAServiceThatHasBecomeSlower) {
  Worker worker(32, 10ms);
  auto memory = std::make_shared<Admission>(adaptive());
  auto service = admit(adaptive(), memory)(worker.service());
  run(
      [&](Context& ctx) -> Task<void> {
        co_await offer(ctx, *service, 1600, 10s, 0s);
        worker.set_takes(80ms);  // 400 a second are all it can now
        Seen seen = co_await offer(ctx, *service, 1600, 60s, 20s);
        EXPECT_GT(seen.all_served(), 40 * 400 * 0.85) << "limit " << memory->snapshot().limit;
        worker.set_takes(10ms);
        seen = co_await offer(ctx, *service, 1600, 20s, 5s);
        EXPECT_LT(seen.all_refused(), seen.all_served() / 100) << "limit " << memory->snapshot().limit;
      },
      kVirtual);
}

TEST(AdaptiveAdmission, FastFailuresTellNothingAboutHowBusyItIs) {
  auto memory = std::make_shared<Admission>(adaptive());
  auto service = admit(adaptive(), memory)(handler([](Context& ctx, Call&) -> Task<Outcome> {
    static_cast<void>(co_await sleep(ctx, 1ms));
    co_return Outcome(Status::unavailable("no database"));
  }));
  run([&](Context& ctx) -> Task<void> { co_await offer(ctx, *service, 1000, 5s, 0s); }, kVirtual);
  EXPECT_EQ(memory->snapshot().usual, Duration::zero());
}

TEST(AdaptiveLimitProperty, StaysWithinItsBoundsWhateverItSees) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 chance(seed);
    auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(chance); };
    AdaptiveSettings settings;
    settings.start = pick(1, 1000);
    settings.least = pick(1, 50);
    settings.most = pick(1, 2000);
    AdaptiveLimit limit(settings);
    for (int i = 0; i < 2000; ++i) {
      AdaptiveLimit::Window w;
      w.length = std::chrono::milliseconds(pick(100, 2000));
      w.mean = Duration(static_cast<int64_t>(std::pow(10.0, static_cast<double>(pick(0, 11)))));
      w.calls = pick(0, 3) ? pick(1, 100'000) : 0;
      w.telling = pick(0, 1) ? w.calls : pick(0, w.calls);
      w.peak = pick(0, 3000);
      w.shed = pick(0, 1);
      limit.close(w);
      ASSERT_GE(limit.limit(), std::max<int64_t>(settings.least / 2, 1)) << "seed " << seed;  // half of it, for a look
      ASSERT_LE(limit.limit(), std::max(settings.most, settings.least)) << "seed " << seed;
      ASSERT_GE(limit.usual(), Duration::zero());
    }
  }
}

TEST(AdmissionThreads, NeverTakesOnMoreThanTheLimitAndCountsEachCall) {
  constexpr int kThreads = 4, kCalls = 20'000;
  constexpr int64_t kLimit = 3;
  Admission admission(fixed(kLimit));
  admission.set([] {
    ServerLimitSettings s = fixed(kLimit);
    s.shed = Shed::kEvenly;
    return s;
  }());
  std::atomic<int64_t> under_way{0}, most{0}, admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        const Time now = Clock::now();
        if (!admission.enter(i % 10, Admission::Kind::kUnary, now)) continue;
        const int64_t n = ++under_way;
        for (int64_t seen = most; n > seen && !most.compare_exchange_weak(seen, n);) {
        }
        ++admitted;
        if (i % 16 == 0) std::this_thread::yield();
        --under_way;
        admission.leave(Admission::Kind::kUnary, true, Clock::now());
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, kLimit);
  const Admission::Snapshot now = admission.snapshot();
  EXPECT_EQ(now.in_flight, 0);
  EXPECT_EQ(now.admitted, static_cast<uint64_t>(admitted.load()));
  EXPECT_EQ(now.admitted + now.shed, static_cast<uint64_t>(kThreads * kCalls));
}

}  // namespace
}  // namespace duplex::resilience
