// Remote as a whole, on virtual time: how calls spread over endpoints that are slow, fail, cannot be reached or go.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <set>

#include "client/dns_server.h"
#include "client/fake_endpoint.h"
#include "client/health_check.h"
#include "duplex/client/remote.h"
#include "duplex/resilience/event.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::client {
namespace {

using namespace std::chrono_literals;
using Kind = resilience::Event::Kind;

const Method kUnary("/t.T/Unary", false, false), kStream("/t.T/Stream", true, true);

auto takes(Duration latency, Status status = {}) {
  return [latency, status](Context& ctx, Call&) -> Task<Outcome> {
    if (Status s = co_await sleep(ctx, latency); !s.is_ok()) co_return s;
    co_return Outcome(status);
  };
}
auto fails(Status status) {
  return [status](Context&, Call&) { return Task<Outcome>::ready(Outcome(status)); };
}
auto refuses() {
  return [](Context&, Call&) { return Task<Outcome>::ready(Outcome::never_sent(Status::unavailable("refused"))); };
}

class Heard final : public resilience::Observer {
 public:
  void on(Context&, const resilience::Event& event) override { events.emplace_back(event.kind, event.text); }
  int count(Kind kind) const {
    return static_cast<int>(std::count_if(events.begin(), events.end(), [&](auto& e) { return e.first == kind; }));
  }
  std::vector<std::pair<Kind, std::string>> events;
};

// A peer on a loop with virtual time; nodes by their address.
class Peer {
 public:
  Peer(Context& ctx, std::string address, BalanceSettings balance = {}, Resolver* resolver = nullptr)
      : own_(ctx),
        background_(own_),
        remote(
            "peer", address, resolver,
            [this](const Address& a) { return std::make_unique<FakeEndpoint>(nodes[a.to_string()]); },
            std::move(balance), &background_) {
    own_.put<resilience::Observer>(heard);
  }
  Context& ctx() { return own_; }
  Task<Outcome> call(Context& ctx, const Method& method = kUnary, Metadata metadata = {}) {
    One in{Message()};
    Drop out;
    Call c(method, std::move(metadata), in, out);
    co_return co_await remote.call(ctx, c);
  }
  Task<Outcome> call() { return call(own_); }
  Task<void> calls(int count) {
    for (int i = 0; i < count; ++i) static_cast<void>(co_await call());
  }
  Node& node(int i) { return nodes["10.0.0." + std::to_string(i) + ":80"]; }
  EndpointState state(size_t i) const { return remote.snapshot(own_.loop().now()).at(i); }
  Task<void> end() {
    remote.close(Status::unavailable("over"));
    own_.cancel(Status::unavailable("over"));
    co_await background_.join();
  }

  Heard heard;
  std::map<std::string, Node> nodes;

 private:
  Context own_;
  Scope background_;

 public:
  Remote remote;
};

std::string addresses(int count) {
  std::string out;
  for (int i = 1; i <= count; ++i) out += (i > 1 ? "," : "") + std::string("10.0.0.") + std::to_string(i) + ":80";
  return out;
}

template <class F>
void on_virtual_time(F f) {
  run(std::move(f), Loop::Options{.virtual_time = true});
}

BalanceSettings policy(BalancePolicy which) {
  BalanceSettings settings;
  settings.policy = which;
  return settings;
}

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

// ---- wait_for_ready ----

TEST(WaitForReady, ACallWaitsForAPeerThatComesUp) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    for (int count : {1, 3}) {
      Peer peer(ctx, addresses(count));
      const Time start = ctx.loop().now();
      for (int n = 1; n <= count; ++n) {
        Node& node = peer.node(n);
        node.answer = [&](Context& own, Call& c) -> Task<Outcome> {
          if (own.loop().now() < start + 30s) {
            node.failing_until = after(own.loop().now(), 3s);  // the pool's own pause
            co_return co_await refuses()(own, c);
          }
          co_return Outcome();
        };
      }
      Outcome at_once = co_await peer.call();
      EXPECT_EQ(at_once.status.code(), Code::kUnavailable);
      Context own(peer.ctx());
      Route route(true);
      own.put(route);
      for (const Method* method : {&kUnary, &kStream}) {
        Outcome outcome = co_await peer.call(own, *method);
        EXPECT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
        EXPECT_GE(ctx.loop().now(), start + 30s);
        EXPECT_LE(ctx.loop().now(), start + 34s);
      }
      EXPECT_LE(peer.node(1).calls, 60) << "with the pool's pauses between, not in a hurry";
      co_await peer.end();
    }
  });
}

TEST(WaitForReady, EndsWithTheDeadlineAndSaysWhatWasWrong) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(2));
    for (int n : {1, 2}) peer.node(n).answer = refuses();
    Context own(peer.ctx(), 5s);
    Route route(true);
    own.put(route);
    Outcome outcome = co_await peer.call(own);
    EXPECT_EQ(outcome.status.code(), Code::kDeadlineExceeded);
    EXPECT_NE(outcome.status.message().find("refused"), std::string::npos) << outcome.status.message();
    EXPECT_TRUE(outcome.unsent);
    // What an endpoint took and failed is not waited for.
    for (int n : {1, 2}) peer.node(n).answer = fails(Status::unavailable("lost"));
    Context again(peer.ctx());
    again.put(route);
    Outcome failed = co_await peer.call(again);
    EXPECT_EQ(failed.status.message(), "lost");
    co_await peer.end();
  });
}

// ---- health checks ----

BalanceSettings checked(std::string question) {
  BalanceSettings settings = policy(BalancePolicy::kRoundRobin);
  settings.health.emplace();
  settings.health->check = std::move(question);
  return settings;
}

// Answers grpc.health.v1 with `status`, and other calls with OK.
auto health(const int& status, std::string* service = nullptr) {
  return [&status, service](Context& ctx, Call& c) -> Task<Outcome> {
    if (c.method->name != "/grpc.health.v1.Health/Check") co_return Outcome();
    NextResult m = co_await c.in->next(ctx);
    if (service) *service = (**m).bytes.to_string();
    if (status < 0) co_return co_await sleep(ctx, 1h);
    std::string reply{'\x08', static_cast<char>(status)};
    co_return co_await c.out->write(ctx, Message(Bytes::copy(reply)));
  };
}

TEST(Health, AnEndpointThatSaysItIsNotServingIsLeftOutUntilItDoes) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    BalanceSettings settings = checked("grpc");
    settings.health->service = "shop.v1.Payments";
    Peer peer(ctx, addresses(3), settings);
    int good = 1, changing = 1;
    std::string service;
    for (int n : {1, 3}) peer.node(n).answer = health(good);
    peer.node(2).answer = health(changing, &service);
    auto share = [&]() -> Task<int> {
      const uint64_t calls = peer.state(1).calls;
      co_await peer.calls(30);
      co_return static_cast<int>(peer.state(1).calls - calls);
    };
    co_await peer.calls(1);
    EXPECT_EQ(co_await share(), 10);
    EXPECT_EQ(service, "\x0a\x10shop.v1.Payments");
    for (int bad : {2, 0, 3, -1}) {  // NOT_SERVING, UNKNOWN, SERVICE_UNKNOWN, silence
      changing = bad;
      static_cast<void>(co_await sleep(ctx, 4s));
      EXPECT_TRUE(peer.state(1).healthy) << "one bad answer is not enough";
      static_cast<void>(co_await sleep(ctx, 10s));
      EXPECT_FALSE(peer.state(1).healthy);
      EXPECT_EQ(co_await share(), 0);
      changing = 1;
      static_cast<void>(co_await sleep(ctx, 15s));
      EXPECT_TRUE(peer.state(1).healthy);
      EXPECT_EQ(co_await share(), 10);
    }
    EXPECT_EQ(peer.heard.count(Kind::kEjected), 4);
    EXPECT_EQ(peer.heard.count(Kind::kReturned), 4);
    EXPECT_NE(peer.heard.events[0].second.find("it says NOT_SERVING"), std::string::npos);
    co_await peer.end();
  });
}

TEST(Health, AnHttpPathIsAskedForAndA2xxIsWell) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(2), checked("/readyz"));
    std::string status = "204", path;
    peer.node(1).answer = [&](Context& own, Call& c) -> Task<Outcome> {
      if (c.method->name != "http:GET") co_return Outcome();
      path = c.metadata.find(":path").value_or("");
      Metadata head;
      head.add(":status", status);
      co_return co_await c.out->head(own, std::move(head));
    };
    peer.node(2).answer = fails(Status::unimplemented("no such thing"));  // it does not speak HTTP
    co_await peer.calls(2);
    static_cast<void>(co_await sleep(ctx, 20s));
    EXPECT_EQ(path, "/readyz");
    EXPECT_TRUE(peer.state(0).healthy);
    EXPECT_FALSE(peer.state(1).healthy);
    status = "503";
    static_cast<void>(co_await sleep(ctx, 20s));
    EXPECT_FALSE(peer.state(0).healthy);
    EXPECT_NE(peer.heard.events.back().second.find("it answers /readyz with HTTP status 503"), std::string::npos);
    co_await peer.end();
  });
}

TEST(Health, AServerWithoutTheServiceCountsAsWell) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    HealthSettings settings;
    Node node;
    FakeEndpoint endpoint(node);
    auto ask = [&](auto answer) -> Task<Status> {
      node.answer = answer;
      co_return co_await ask_health(ctx, endpoint.service(), settings);
    };
    auto says = [](std::string reply) {
      return [reply](Context& own, Call& c) -> Task<Outcome> {
        co_return co_await c.out->write(own, Message(Bytes::copy(reply)));
      };
    };
    auto unimplemented = fails(Status::unimplemented("no such service"));
    EXPECT_TRUE((co_await ask(unimplemented)).is_ok());
    auto down = fails(Status::unavailable("refused"));
    EXPECT_EQ((co_await ask(down)).message(), "refused");
    for (std::string bad : {"\x08", "\x08\xff", "\x10\x01", "what"}) {
      auto answer = says(bad);
      EXPECT_EQ((co_await ask(answer)).code(), Code::kInternal);
    }
    auto empty = says("");
    EXPECT_EQ((co_await ask(empty)).message(), "it says UNKNOWN");
    auto twice = says("\x08\x02\x08\x01");  // the last of a field counts
    EXPECT_TRUE((co_await ask(twice)).is_ok());
  });
}

// ---- a file of endpoints ----

class EndpointsFile {
 public:
  EndpointsFile() : path(testing::TempDir() + "endpoints-" + std::to_string(getpid()) + ".yaml") {}
  ~EndpointsFile() { ::unlink(path.c_str()); }
  void write(const std::string& text) {  // as careful writers do it
    std::ofstream(path + ".new") << text;
    ::rename((path + ".new").c_str(), path.c_str());
  }
  const std::string path;
};

TEST(FileOfEndpoints, AChangeIsTakenOverAndWhatIsGoneDrains) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    EndpointsFile file;
    file.write("- 10.0.0.1:80\n- 10.0.0.2:80;weight=2\n");
    Peer peer(ctx, "file:" + file.path, policy(BalancePolicy::kRoundRobin));
    co_await peer.calls(30);
    EXPECT_EQ(peer.node(1).calls, 10);
    EXPECT_EQ(peer.node(2).calls, 20);
    peer.node(1).answer = takes(5s);
    Scope calls(peer.ctx());
    Outcome long_one(Status::unknown("not over"));
    calls.spawn([&](Context& own) -> Task<void> {
      while (peer.node(1).calls == 10) long_one = co_await peer.call(own);
    });
    EXPECT_EQ(peer.node(1).calls, 11);
    file.write("- 10.0.0.2:80\n- 10.0.0.3:80\n");
    static_cast<void>(co_await sleep(ctx, 1s));
    co_await peer.calls(1);  // finds the change, beside
    co_await peer.calls(20);
    EXPECT_NEAR(peer.node(3).calls, 10.5, 0.5);
    EXPECT_EQ(peer.node(1).calls, 11);
    EXPECT_TRUE(peer.state(0).draining);
    EXPECT_FALSE(peer.node(1).closed) << "a call is on it";
    co_await calls.join();
    EXPECT_TRUE(long_one.status.is_ok());
    EXPECT_TRUE(peer.node(1).closed);
    EXPECT_EQ(peer.remote.snapshot(ctx.loop().now()).size(), 2u);
    co_await peer.end();
  });
}

TEST(FileOfEndpoints, AWrongOneKeepsTheOldListAndIsToldOnce) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    EndpointsFile file;
    Peer peer(ctx, "file:" + file.path);
    Outcome nothing = co_await peer.call();
    EXPECT_EQ(nothing.status.code(), Code::kUnavailable);
    EXPECT_NE(nothing.status.message().find("there is no configuration file " + file.path), std::string::npos)
        << nothing.status.message();
    file.write("- 10.0.0.1:80\n");
    EXPECT_TRUE((co_await peer.call()).status.is_ok()) << "without an endpoint it is looked at by every call";
    file.write("- 10.0.0.1:80\n- nothing\n");
    for (int i = 0; i < 10; ++i) {
      static_cast<void>(co_await sleep(ctx, 1s));
      EXPECT_TRUE((co_await peer.call()).status.is_ok());
    }
    EXPECT_EQ(peer.heard.count(Kind::kStaleAddresses), 1);
    EXPECT_NE(peer.heard.events[0].second.find(":2:3: \"nothing\" is not an address"), std::string::npos)
        << peer.heard.events[0].second;
    ::unlink(file.path.c_str());
    static_cast<void>(co_await sleep(ctx, 1s));
    EXPECT_TRUE((co_await peer.call()).status.is_ok());
    EXPECT_EQ(peer.heard.count(Kind::kStaleAddresses), 2);
    co_await peer.end();
  });
}

// ---- SRV ----

TEST(SrvEndpoints, PrioritiesWeightsAndPortsAreHeeded) {
  run([](Context& ctx) -> Task<void> {  // real time: a real socket
    DnsServer dns(ctx.loop());
    dns.zones["_grpc._tcp.payments.internal"].services = {
        {1, 30, 80, "a.internal"}, {1, 10, 81, "b.internal"}, {2, 0, 82, "spare.internal"}};
    dns.zones["a.internal"].v4 = {"10.0.0.1", "10.0.0.2"};
    dns.zones["b.internal"].v4 = {"10.0.0.3"};
    dns.zones["spare.internal"].v4 = {"10.0.0.4"};
    Resolver::Settings settings;
    settings.servers = dns.address();
    Resolver resolver(ctx.loop(), settings);
    Peer peer(ctx, "dns+srv:_grpc._tcp.payments.internal", policy(BalancePolicy::kRoundRobin), &resolver);
    co_await peer.calls(80);
    EXPECT_NEAR(peer.nodes["10.0.0.1:80"].calls, 30, 2);  // a host's addresses share its weight
    EXPECT_NEAR(peer.nodes["10.0.0.2:80"].calls, 30, 2);
    EXPECT_NEAR(peer.nodes["10.0.0.3:81"].calls, 20, 2);
    EXPECT_EQ(peer.nodes["10.0.0.4:82"].calls, 0);
    for (auto& [address, node] : peer.nodes) node.failing = address != "10.0.0.4:82";
    co_await peer.calls(10);
    EXPECT_EQ(peer.nodes["10.0.0.4:82"].calls, 10);
    co_await peer.end();
  });
}

TEST(SplitEndpoints, GroupsOfNamesHaveTheirShareHoweverManyAddressesTheyHave) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["main.internal"].v4 = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    dns.zones["canary.internal"].v4 = {"10.0.1.1", "10.0.1.2"};
    Resolver::Settings settings;
    settings.servers = dns.address();
    Resolver resolver(ctx.loop(), settings);
    Peer peer(ctx, "(main.internal:80);weight=90, (canary.internal:80);weight=10", {}, &resolver);
    co_await peer.calls(1000);
    EXPECT_NEAR(peer.nodes["10.0.1.1:80"].calls + peer.nodes["10.0.1.2:80"].calls, 100, 2);
    EXPECT_GT(peer.nodes["10.0.1.1:80"].calls, 20);
    EXPECT_GT(peer.nodes["10.0.1.2:80"].calls, 20);
    co_await peer.end();
  });
}

TEST(NamedEndpoints, ANameThatExpiresIsAskedForBesideTheCallsAndANameThatFailsKeepsItsEndpoints) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["peer.internal"].v4 = {"10.0.0.1"};
    dns.zones["peer.internal"].ttl = 1;
    Resolver::Settings settings;
    settings.servers = dns.address();
    Resolver resolver(ctx.loop(), settings);
    Peer peer(ctx, "peer.internal:80", {}, &resolver);
    co_await peer.calls(1);
    dns.zones["peer.internal"].silent = true;
    const Time expired = ctx.loop().now() + 1s;
    while (ctx.loop().now() <= expired) static_cast<void>(co_await sleep(ctx, 50ms));
    co_await peer.calls(100);  // none of them waits for the server, which is silent
    EXPECT_EQ(peer.node(1).calls, 101);
    dns.zones["peer.internal"].silent = false;
    dns.zones["peer.internal"].rcode = 3;
    dns.answer_late();
    while (peer.heard.count(Kind::kStaleAddresses) == 0) static_cast<void>(co_await sleep(ctx, 1ms));
    co_await peer.calls(1);
    EXPECT_EQ(peer.node(1).calls, 102);
    co_await peer.end();
  });
}

}  // namespace
}  // namespace duplex::client
