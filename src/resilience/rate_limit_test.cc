// How often each caller may call (conformance 2.6: each of its lines).
#include "duplex/resilience/rate_limit.h"

#include <atomic>
#include <cmath>
#include <random>
#include <thread>

#include "resilience/limit_testing.h"
#include "resilience/rate_limit_keys.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const Method kGet{"/shop.v1.Orders/GetOrder", false, false};
const Method kList{"/shop.v1.Orders/ListOrders", false, true};

RateLimitSettings rule(std::string key, double rate, int64_t burst, int64_t entries = 10'000) {
  RateLimitSettings r;
  r.key = std::move(key);
  r.rate = rate;
  r.burst = burst;
  r.entries = entries;
  return r;
}
Metadata tenant(std::string_view name) {
  Metadata m;
  m.add("x-tenant", name);
  return m;
}

struct Bed {
  explicit Bed(std::vector<RateLimitSettings> rules, std::shared_ptr<Service> inner = taking(0s))
      : memory(std::make_shared<RateLimiter>()), service(rate_limit(std::move(rules), memory)(std::move(inner))) {}
  std::shared_ptr<RateLimiter> memory;
  std::shared_ptr<Service> service;
};

TEST(TokenBucket, GivesABurstAtOnceAndThenTheRate) {
  for (auto [rate, burst] : {std::pair(100.0, 200), std::pair(1.0, 1), std::pair(7.0, 3), std::pair(0.25, 5),
                             std::pair(12'345.0, 2), std::pair(333.3, 1000)}) {
    TokenBucket bucket;
    Time now = Time() + 1h;
    int64_t passed = 0;
    while (bucket.take(rate, burst, now)) ++passed;
    EXPECT_EQ(passed, burst);
    // 60 seconds, asked far more often than it passes.
    const Time end = now + 60s;
    // A bucket of one is full while nobody asks, so it is asked the more often.
    const auto step = Duration(static_cast<int64_t>(1e9 / rate / (burst == 1 ? 150.0 : 7.3)));
    for (passed = 0, now += step; now <= end; now += step) passed += bucket.take(rate, burst, now);
    EXPECT_NEAR(static_cast<double>(passed), rate * 60, std::max(rate * 60 * 0.01, 1.0)) << rate;
    EXPECT_LE(passed, static_cast<int64_t>(rate * 60 + 1e-3)) << rate;
  }
}

TEST(TokenBucket, OneThatWaitsAsToldPassesAndOneThatComesSoonerDoesNot) {
  for (double rate : {0.3, 1.0, 7.0, 100.0, 99'999.0}) {
    TokenBucket bucket;
    Time now = Time() + 1h;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(bucket.take(rate, 5, now));
    for (int i = 0; i < 1000; ++i) {
      ASSERT_FALSE(bucket.take(rate, 5, now));
      const Duration wait = bucket.until_next(rate, 5);
      EXPECT_NEAR(static_cast<double>(wait.count()), 1e9 / rate, 1e9 / rate * 1e-3 + 2);
      EXPECT_FALSE(bucket.take(rate, 5, now + wait * 99 / 100));
      now += wait;
      ASSERT_TRUE(bucket.take(rate, 5, now)) << rate << " " << i;
    }
  }
}

// Over any span t, whatever the pattern of asking: at most burst + rate x t. No window has an edge to cheat at.
TEST(TokenBucketProperty, NeverGivesMoreThanBurstAndRateOverAnySpan) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 chance(seed);
    const double rate = std::pow(10.0, std::uniform_real_distribution(-1.0, 4.0)(chance));
    const int64_t burst = std::uniform_int_distribution<int64_t>(1, 50)(chance);
    TokenBucket bucket;
    Time now = Time() + 1h;
    std::vector<double> passed;
    for (int i = 0; i < 600; ++i) {
      // Quiet times of up to two whole buckets, then as many calls as can come.
      const double wait = std::uniform_real_distribution(0.0, 2.0)(chance) * static_cast<double>(burst) / rate;
      if (i % 20 == 0) now += Duration(static_cast<int64_t>(wait * 1e9));
      now += Duration(static_cast<int64_t>(std::uniform_real_distribution(0.0, 1.0)(chance) * 1e9 / rate));
      while (bucket.take(rate, burst, now))
        passed.push_back(std::chrono::duration<double>(now.time_since_epoch()).count());
    }
    for (size_t i = 0; i < passed.size(); ++i)
      for (size_t j = i; j < std::min(passed.size(), i + 200); ++j)
        ASSERT_LE(static_cast<double>(j - i + 1), static_cast<double>(burst) + rate * (passed[j] - passed[i]) + 1e-3)
            << "seed " << seed;
  }
}

TEST(TokenBucket, AClockThatIsBehindTakesNothingBack) {
  TokenBucket bucket;
  const Time now = Time() + 1h;
  EXPECT_TRUE(bucket.take(1, 2, now));
  EXPECT_TRUE(bucket.take(1, 2, now - 10ms));  // another loop's
  EXPECT_FALSE(bucket.take(1, 2, now));
}

TEST(RateLimit, RefusesWithRetryInfoRetryAfterAndPushback) {
  Bed bed({rule("metadata:x-tenant", 2, 1)});
  Heard heard;
  run(
      [&](Context& root) -> Task<void> {
        Context ctx(root);
        ctx.put<Observer>(heard);
        Outcome o = co_await call(ctx, kGet, *bed.service, tenant("acme"));
        EXPECT_TRUE(o.status.is_ok());
        EXPECT_TRUE(o.trailers.empty());
        o = co_await call(ctx, kGet, *bed.service, tenant("acme"));
        EXPECT_EQ(o.status.to_string(),
                  "RESOURCE_EXHAUSTED: rate limit \"x-tenant\": more than 2 calls a second, after 1 at once; ask again "
                  "in 500ms");
        EXPECT_EQ(o.trailers.find("retry-after"), "1");
        EXPECT_EQ(o.trailers.find("grpc-retry-pushback-ms"), "500");
        EXPECT_EQ(o.status.details().size(), 1u);
        EXPECT_EQ(o.status.details()[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
        EXPECT_EQ(o.status.details()[0].value, std::string("\x0a\x06\x10\x80\xca\xb5\xee\x01", 8));
        o = co_await call(ctx, kGet, *bed.service, tenant("other"));  // has a bucket of its own
        EXPECT_TRUE(o.status.is_ok());
        static_cast<void>(co_await sleep(ctx, 500ms));
        o = co_await call(ctx, kGet, *bed.service, tenant("acme"));
        EXPECT_TRUE(o.status.is_ok());
      },
      kVirtual);
  ASSERT_EQ(heard.all().size(), 1u);
  EXPECT_TRUE(heard.all()[0].starts_with("rate_limited  /shop.v1.Orders/GetOrder: rate limit \"x-tenant\""));
  EXPECT_EQ(bed.memory->snapshot()[0].keys, 2);
  EXPECT_EQ(bed.memory->snapshot()[0].refused, 1u);
}

TEST(RateLimit, CallsWithoutTheMetadataShareOneBucket) {
  Bed bed({rule("metadata:x-tenant", 1, 1)});
  run(
      [&](Context& ctx) -> Task<void> {
        Outcome o = co_await call(ctx, kGet, *bed.service);
        EXPECT_TRUE(o.status.is_ok());
        o = co_await call(ctx, kGet, *bed.service);
        EXPECT_EQ(o.status.code(), Code::kResourceExhausted);
      },
      kVirtual);
}

TEST(RateLimit, KeysByMethodAndByAddressWithoutItsPort) {
  Bed by_method({rule("method", 1, 1)}), by_peer({rule("peer", 1, 1)}), all({rule("", 1, 1)});
  run(
      [&](Context& root) -> Task<void> {
        auto passes = [&](Bed& bed, const Method& method, const char* address) -> Task<bool> {
          Context ctx(root);
          Peer peer(address, "grpc");
          ctx.put(peer);
          Outcome o = co_await call(ctx, method, *bed.service);
          co_return o.status.is_ok();
        };
        EXPECT_TRUE(co_await passes(by_method, kGet, "10.0.0.1:1"));
        EXPECT_TRUE(co_await passes(by_method, kList, "10.0.0.1:1"));
        EXPECT_FALSE(co_await passes(by_method, kGet, "10.0.0.2:1"));

        EXPECT_TRUE(co_await passes(by_peer, kGet, "10.0.0.1:1000"));
        EXPECT_FALSE(co_await passes(by_peer, kGet, "10.0.0.1:2000"));
        EXPECT_TRUE(co_await passes(by_peer, kGet, "10.0.0.2:1000"));
        EXPECT_TRUE(co_await passes(by_peer, kGet, "[2001:db8:0:1::7]:1"));
        EXPECT_FALSE(co_await passes(by_peer, kGet, "[2001:db8:0:1:ffff::8]:2"));  // who has one has the other
        EXPECT_TRUE(co_await passes(by_peer, kGet, "[2001:db8:0:2::7]:1"));
        EXPECT_TRUE(co_await passes(by_peer, kGet, "[::ffff:10.9.0.1]:1"));  // IPv4 callers of one socket for both
        EXPECT_TRUE(co_await passes(by_peer, kGet, "[::ffff:10.9.0.2]:1"));
        EXPECT_TRUE(co_await passes(by_peer, kGet, "unix:/run/a"));
        EXPECT_TRUE(co_await passes(by_peer, kGet, "unix:/run/b"));

        EXPECT_TRUE(co_await passes(all, kGet, "10.0.0.1:1"));
        EXPECT_FALSE(co_await passes(all, kList, "10.0.0.2:1"));
      },
      kVirtual);
}

TEST(RateLimit, ACallThatOneRuleRefusesTakesNothingFromAnother) {
  Bed bed({rule("", 0.001, 10), rule("metadata:x-tenant", 0.001, 1)});
  run(
      [&](Context& ctx) -> Task<void> {
        for (int i = 0; i < 50; ++i) co_await call(ctx, kGet, *bed.service, tenant("loud"));
        int passed = 0;
        for (int i = 0; i < 50; ++i) {
          Outcome o = co_await call(ctx, kGet, *bed.service, tenant(std::to_string(i)));
          passed += o.status.is_ok();
        }
        EXPECT_EQ(passed, 9);  // the loud one had one of the ten
      },
      kVirtual);
}

// What a caller over that protocol sees: its head, and what the Outcome brings.
Task<std::pair<Metadata, Outcome>> seen_over(Context& root, std::string_view protocol, const Method& method,
                                             Service& service) {
  Context ctx(root);
  Peer peer("10.0.0.1:1", protocol);
  ctx.put(peer);
  One in{Message()};
  Keep out;
  Call c(method, Metadata(), in, out);
  Outcome o = co_await service.call(ctx, c);
  co_return std::pair(out.metadata, o);
}

TEST(RateLimit, TellsRestCallersWhatIsLeftInTheDraftsFields) {
  auto speaks = handler([](Context& ctx, Call& c) -> Task<Outcome> {
    if (Status s = co_await c.out->write(ctx, Message()); !s.is_ok()) co_return s;
    co_return co_await c.out->write(ctx, Message());
  });
  Bed bed({rule("metadata:x-tenant", 100, 6000), rule("", 0.5, 2)}, speaks);
  run(
      [&](Context& ctx) -> Task<void> {
        auto [head, o] = co_await seen_over(ctx, "rest", kGet, *bed.service);
        EXPECT_EQ(head.find("ratelimit-policy"), "\"x-tenant\";q=6000;w=60, \"all\";q=2;w=4");
        EXPECT_EQ(head.find("ratelimit"), "\"x-tenant\";r=5999;t=1, \"all\";r=1;t=2");
        EXPECT_FALSE(o.trailers.find("ratelimit"));
        auto over_http = co_await seen_over(ctx, "http", kList, *bed.service);
        EXPECT_EQ(over_http.first.find("ratelimit"), "\"x-tenant\";r=5998;t=1, \"all\";r=0;t=4");
        auto refused = co_await seen_over(ctx, "rest", kGet, *bed.service);
        EXPECT_EQ(refused.second.status.code(), Code::kResourceExhausted);
        EXPECT_EQ(refused.second.trailers.find("retry-after"), "2");
        EXPECT_EQ(refused.second.trailers.find("ratelimit"), "\"x-tenant\";r=5997;t=1, \"all\";r=0;t=4");
        EXPECT_TRUE(refused.second.trailers.find("ratelimit-policy"));
        static_cast<void>(co_await sleep(ctx, 10s));
        auto over_grpc = co_await seen_over(ctx, "grpc", kGet, *bed.service);
        EXPECT_TRUE(over_grpc.second.status.is_ok());
        EXPECT_FALSE(over_grpc.first.find("ratelimit"));
        EXPECT_FALSE(over_grpc.second.trailers.find("ratelimit"));
      },
      kVirtual);
}

TEST(RateLimit, AFailureThatWroteNoHeadTellsItToo) {
  Bed bed({rule("", 1, 1), rule("", 3, 2)},
          handler([](Context&, Call&) -> Task<Outcome> { co_return Outcome(Status::not_found("no order 7")); }));
  run(
      [&](Context& ctx) -> Task<void> {
        auto [head, o] = co_await seen_over(ctx, "rest", kGet, *bed.service);
        EXPECT_EQ(o.status.code(), Code::kNotFound);
        EXPECT_EQ(o.trailers.find("ratelimit-policy"), "\"all\";q=1;w=1, \"all-2\";q=3;w=1");
      },
      kVirtual);
}

TEST(RateLimit, AMillionRandomKeysStayWithinTheEntries) {
  RateLimitKeys keys(rule("metadata:x-tenant", 1, 1, 4096));
  std::mt19937_64 chance(1);
  const Time now = Time() + 1h;
  for (int i = 0; i < 1'000'000; ++i) {
    EXPECT_TRUE(keys.take(std::to_string(chance()), now).passes);
    if (i % 10'000 == 0) {
      ASSERT_LE(keys.size(), 4096);
    }
  }
  EXPECT_LE(keys.size(), 4096);
  EXPECT_GT(keys.size(), 3900);
}

TEST(RateLimit, AKeyOfAnyLengthTakesLittleMemory) {
  RateLimitKeys keys(rule("metadata:x-tenant", 1, 1));
  run([&](Context& ctx) -> Task<void> {
    std::string buffer;
    auto key = [&](const std::string& value) {
      One in{Message()};
      Drop out;
      Call c(kGet, tenant(value), in, out);
      return std::string(keys.key_of(ctx, c, buffer));
    };
    EXPECT_EQ(key(std::string(60'000, 'a')).size(), 256u);
    EXPECT_NE(key(std::string(60'000, 'a') + "1"), key(std::string(60'000, 'a') + "2"));
    EXPECT_NE(key("1" + std::string(60'000, 'a')), key("2" + std::string(60'000, 'a')));
    co_return;
  });
}

TEST(RateLimit, TheKeyUsedLongestAgoMakesRoom) {
  RateLimitKeys keys(rule("metadata:x-tenant", 0.001, 1, 3));
  const Time now = Time() + 1h;
  for (const char* key : {"a", "b", "c"}) EXPECT_TRUE(keys.take(key, now).passes);
  EXPECT_FALSE(keys.take("a", now).passes);  // used again
  EXPECT_TRUE(keys.take("d", now).passes);   // in the place of b
  EXPECT_FALSE(keys.take("a", now).passes);
  EXPECT_FALSE(keys.take("c", now).passes);
  EXPECT_TRUE(keys.take("b", now).passes);  // forgotten, so it begins anew
  EXPECT_EQ(keys.size(), 3);
  keys.set(rule("metadata:x-tenant", 0.001, 1, 1));
  EXPECT_TRUE(keys.take("e", now).passes);
  EXPECT_EQ(keys.size(), 1);
}

TEST(RateLimit, AReloadKeepsWhatWasTaken) {
  auto memory = std::make_shared<RateLimiter>();
  auto before = rate_limit({rule("", 0.001, 10), rule("method", 1, 1)}, memory)(taking(0s));
  run(
      [&](Context& ctx) -> Task<void> {
        Outcome o = co_await call(ctx, kGet, *before);
        EXPECT_TRUE(o.status.is_ok());
        auto now = rate_limit({rule("metadata:x-tenant", 1, 100), rule("", 0.001, 3)}, memory)(taking(0s));
        int passed = 0;
        for (int i = 0; i < 10; ++i) {
          Outcome each = co_await call(ctx, kGet, *now);
          passed += each.status.is_ok();
        }
        EXPECT_EQ(passed, 2);
      },
      kVirtual);
}

TEST(RateLimit, AKeyThatIsNoneIsAnErrorOfTheConfigurationAndOfEachCall) {
  for (const char* good : {"", "peer", "method", "metadata:x-tenant"})
    EXPECT_TRUE(check_rate_limit_key(good).is_ok()) << good;
  for (const char* bad : {"peers", "metadata:", "metadata:X-Tenant", "x-tenant"})
    EXPECT_EQ(check_rate_limit_key(bad).code(), Code::kInvalidArgument) << bad;
  Bed bed({rule("x-tenant", 1, 1)});
  run(
      [&](Context& ctx) -> Task<void> {
        Outcome o = co_await call(ctx, kGet, *bed.service);
        EXPECT_EQ(o.status.to_string(),
                  "INTERNAL: server.rate_limit: \"x-tenant\" is no key: write `metadata:` and a name, `peer`, "
                  "`method`, or nothing for all calls");
      },
      kVirtual);
}

TEST(RateLimitThreads, TogetherTheyGetNoMoreThanTheBurst) {
  constexpr int kThreads = 4, kKeys = 600, kBurst = 10;
  RateLimitKeys keys(rule("metadata:x-tenant", 0.001, kBurst, 10'000));
  std::vector<std::atomic<int>> passed(kKeys);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kKeys * 8; ++i) {
        const auto n = static_cast<size_t>(i % kKeys);
        passed[n] += keys.take(std::to_string(n), Time() + 1h).passes;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& each : passed) EXPECT_EQ(each, kBurst);
  EXPECT_EQ(keys.refused(), static_cast<uint64_t>(kThreads * kKeys * 8 - kKeys * kBurst));
}

}  // namespace
}  // namespace duplex::resilience
