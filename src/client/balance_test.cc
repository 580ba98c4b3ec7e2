// Remote as a whole: how calls spread over endpoints that are slow or fail.
#include <set>

#include "client/fake_peer.h"

namespace duplex::client {
namespace {

BalanceSettings ejecting() {
  BalanceSettings settings = policy(BalancePolicy::kRoundRobin);
  settings.eject.emplace();
  return settings;
}

// ---- one of ten is slow ----

// Open loop: 8 calls a ms for 2 s to ten endpoints of 10 ms, one of which takes 200 ms. The share of calls at that one.
double share_of_the_slow_one(BalancePolicy which) {
  double share = 1;
  on_virtual_time([&](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(10), policy(which));
    for (int i = 1; i <= 10; ++i) peer.node(i).answer = takes(i == 4 ? 200ms : 10ms);
    Scope calls(peer.ctx());
    for (int ms = 0; ms < 2000; ++ms) {
      for (int i = 0; i < 8; ++i)
        calls.spawn([&](Context& own) -> Task<void> { static_cast<void>(co_await peer.call(own)); });
      static_cast<void>(co_await sleep(ctx, 1ms));
    }
    co_await calls.join();
    share = peer.node(4).calls / 16000.0;
    co_await peer.end();
  });
  return share;
}

TEST(Balance, ASlowEndpointIsSeenByItsQueueOrByItsLatency) {
  EXPECT_NEAR(share_of_the_slow_one(BalancePolicy::kRoundRobin), 0.1, 0.001);
  EXPECT_LT(share_of_the_slow_one(BalancePolicy::kP2c), 0.015);
  EXPECT_LT(share_of_the_slow_one(BalancePolicy::kEwma), 0.005);
}

TEST(Balance, TheSameKeyGoesToTheSameEndpoint) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    BalanceSettings settings = policy(BalancePolicy::kRingHash);
    settings.hash = "metadata:x-user";
    Peer peer(ctx, addresses(5), settings);
    std::map<std::string, std::set<int>> seen;
    for (int i = 0; i < 400; ++i) {
      const std::string user = "user-" + std::to_string(i % 40);
      Metadata metadata;
      metadata.add("x-user", user);
      std::vector<int> before;
      for (int n = 1; n <= 5; ++n) before.push_back(peer.node(n).calls);
      static_cast<void>(co_await peer.call(ctx, kUnary, std::move(metadata)));
      for (int n = 1; n <= 5; ++n)
        if (peer.node(n).calls > before[static_cast<size_t>(n) - 1]) seen[user].insert(n);
    }
    std::set<int> all;
    for (auto& [user, nodes] : seen) {
      EXPECT_EQ(nodes.size(), 1u) << user;
      all.insert(nodes.begin(), nodes.end());
    }
    EXPECT_EQ(all.size(), 5u);
    const int before = peer.node(1).calls;
    co_await peer.calls(200);  // with no key: any
    EXPECT_GT(peer.node(1).calls, before);
    co_await peer.end();
  });
}

// ---- ejection and what counts ----

TEST(Balance, FailuresEjectAndAreReported) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(4), ejecting());
    peer.node(2).answer = fails(Status::internal("broken"));
    co_await peer.calls(100);
    EXPECT_EQ(peer.node(2).calls, 5);
    EXPECT_EQ(peer.heard.count(Kind::kEjected), 1);
    EXPECT_EQ(peer.state(1).ejected_for, 10s);
    EXPECT_EQ(peer.state(1).failures, 5u);
    peer.node(2).answer = takes(1ms);
    static_cast<void>(co_await sleep(ctx, 10s));
    EXPECT_EQ(peer.state(1).ejected_for, 0s);
    co_await peer.calls(4);
    EXPECT_EQ(peer.node(2).calls, 6);
    EXPECT_EQ(peer.heard.count(Kind::kReturned), 1);
    co_await peer.end();
  });
}

TEST(Balance, OnlyWhatIsTheEndpointsFaultCounts) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    auto counts = [&](std::function<Task<Outcome>(Context&, Call&)> answer, Duration limit = 1h,
                      Status cancel = {}) -> Task<bool> {
      Peer peer(ctx, addresses(2), ejecting());
      peer.node(1).answer = peer.node(2).answer = answer;
      for (int i = 0; i < 20; ++i) {
        Context own(peer.ctx(), limit);
        Scope beside(own);
        if (!cancel.is_ok())
          beside.spawn([&](Context& c) -> Task<void> {
            static_cast<void>(co_await sleep(c, 1ms));
            own.cancel(cancel);
          });
        static_cast<void>(co_await peer.call(own));
        own.cancel(Status::cancelled("over"));
        co_await beside.join();
      }
      const bool ejected = peer.heard.count(Kind::kEjected) > 0;
      co_await peer.end();
      co_return ejected;
    };
    for (Code code : {Code::kUnavailable, Code::kDeadlineExceeded, Code::kInternal, Code::kUnknown, Code::kDataLoss}) {
      auto answer = fails(Status(code, "no"));
      EXPECT_TRUE(co_await counts(answer)) << code_name(code);
    }
    for (Code code :
         {Code::kOk, Code::kInvalidArgument, Code::kNotFound, Code::kPermissionDenied, Code::kUnauthenticated,
          Code::kResourceExhausted, Code::kAborted, Code::kUnimplemented, Code::kCancelled}) {
      auto answer = fails(Status(code, "no"));
      EXPECT_FALSE(co_await counts(answer)) << code_name(code);
    }
    for (int16_t http : {500, 501, 599}) {  // of plain HTTP: the exchange itself went through
      auto answer = answers_http(http);
      EXPECT_TRUE(co_await counts(answer)) << http;
    }
    for (int16_t http : {400, 404, 429}) {
      auto answer = answers_http(http);
      EXPECT_FALSE(co_await counts(answer)) << http;
    }
    auto slow = takes(1h);
    const Status gone = Status::cancelled("the caller left"), ends = Status::unavailable("the server stops");
    EXPECT_FALSE(co_await counts(slow, 1h, gone));
    EXPECT_FALSE(co_await counts(slow, 1h, ends));
    EXPECT_TRUE(co_await counts(slow, 5ms));
  });
}

TEST(Balance, AttemptsOfOneCallGoToDifferentEndpoints) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    for (BalancePolicy which : {BalancePolicy::kRoundRobin, BalancePolicy::kP2c, BalancePolicy::kEwma}) {
      Peer peer(ctx, addresses(3), policy(which));
      for (int n = 1; n <= 3; ++n) peer.node(n).answer = fails(Status::unavailable("lost"));
      for (int i = 1; i <= 30; ++i) {
        Context own(peer.ctx());
        Route route;
        own.put(route);
        for (int attempt = 0; attempt < 3; ++attempt) static_cast<void>(co_await peer.call(own));
        for (int n = 1; n <= 3; ++n) EXPECT_EQ(peer.node(n).calls, i);
      }
      co_await peer.end();
    }
  });
}

TEST(Balance, ASettingThatCannotBeIsToldByEveryCall) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(2), policy(BalancePolicy::kRingHash));
    Outcome outcome = co_await peer.call();
    EXPECT_EQ(outcome.status.code(), Code::kInvalidArgument);
    EXPECT_EQ(outcome.status.message(), "peer: balance: ring_hash needs a key: write hash: metadata:x-user");
    co_await peer.end();
  });
}

TEST(Balance, TheStateOfEachEndpointIsShown) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, "10.0.0.1:80;weight=3, 10.0.0.2:80", policy(BalancePolicy::kRoundRobin));
    for (int n : {1, 2}) peer.node(n).answer = takes(7ms);
    co_await peer.calls(8);
    peer.node(2).failing = true;
    EXPECT_EQ(peer.state(0).address, "10.0.0.1:80");
    EXPECT_EQ(peer.state(0).weight, 3);
    EXPECT_EQ(peer.state(0).calls, 6u);
    EXPECT_NEAR(static_cast<double>(peer.state(0).latency.count()), 7e6, 7e4);
    EXPECT_TRUE(peer.state(0).reachable);
    EXPECT_FALSE(peer.state(1).reachable);
    EXPECT_EQ(peer.state(1).calls, 2u);
    Scope calls(peer.ctx());
    calls.spawn([&](Context& own) -> Task<void> { static_cast<void>(co_await peer.call(own)); });
    EXPECT_EQ(peer.state(0).in_flight, 1u);
    co_await calls.join();
    co_await peer.end();
  });
}

TEST(Balance, AttemptsAtTheSameTimeGoToDifferentEndpoints) {  // a hedge's
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(3));
    for (int n = 1; n <= 3; ++n) peer.node(n).answer = takes(1s);
    Context own(peer.ctx());
    Route route;
    own.put(route);
    Scope attempts(own);
    for (int i = 0; i < 3; ++i)
      attempts.spawn([&](Context& one) -> Task<void> { static_cast<void>(co_await peer.call(one)); });
    for (int n = 1; n <= 3; ++n) EXPECT_EQ(peer.node(n).calls, 1);
    co_await attempts.join();
    co_await peer.end();
  });
}

TEST(Balance, AnEndpointThatIsNamedTwiceCountsTwice) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, "10.0.0.1:80, 10.0.0.2:80, 10.0.0.1:80", policy(BalancePolicy::kRoundRobin));
    co_await peer.calls(30);
    EXPECT_EQ(peer.node(1).made, 1);
    EXPECT_NEAR(peer.node(1).calls, 20, 1);
    co_await peer.end();
  });
}
}  // namespace
}  // namespace duplex::client
