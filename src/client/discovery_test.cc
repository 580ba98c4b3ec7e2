// Endpoints by files, SRV records and names, and what happens when those change or fail.
#include <unistd.h>

#include <fstream>

#include "client/dns_server.h"
#include "client/fake_peer.h"

namespace duplex::client {
namespace {

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

TEST(NamedEndpoints, WhenAllFailTheNameIsAskedForAtOnce) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["peer.internal"].v4 = {"10.0.0.1", "10.0.0.2"};
    Resolver::Settings settings;
    settings.servers = dns.address();
    Resolver resolver(ctx.loop(), settings);
    Peer peer(ctx, "peer.internal:80", {}, &resolver);
    co_await peer.calls(2);
    dns.zones["peer.internal"].v4 = {"10.0.0.3"};
    for (int n : {1, 2}) {
      Node& node = peer.node(n);
      node.answer = [&node](Context& own, Call& c) {
        node.failing = true;
        return refuses()(own, c);
      };
    }
    EXPECT_TRUE((co_await peer.call()).status.is_ok());
    EXPECT_EQ(peer.node(3).calls, 1);
    EXPECT_TRUE(peer.node(1).closed);
    co_await peer.end();
  });
}
}  // namespace
}  // namespace duplex::client
