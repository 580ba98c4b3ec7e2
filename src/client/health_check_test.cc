// Health checks: what is asked, what counts as well, and what follows.
#include "client/health_check.h"

#include "client/dns_server.h"
#include "client/fake_peer.h"

namespace duplex::client {
namespace {

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

TEST(Health, AnEndpointThatIsGoneIsAskedNoMore) {
  run([](Context& ctx) -> Task<void> {  // real time: a real socket
    DnsServer dns(ctx.loop());
    dns.zones["peer.internal"].v4 = {"10.0.0.1", "10.0.0.2"};
    Resolver::Settings settings;
    settings.servers = dns.address();
    Resolver resolver(ctx.loop(), settings);
    BalanceSettings balance = checked("grpc");
    balance.health->every = 10ms;
    Peer peer(ctx, "peer.internal:80", balance, &resolver);
    const int good = 1;
    for (int n : {1, 2, 3}) peer.node(n).answer = health(good);
    co_await peer.calls(2);
    while (peer.node(1).calls < 5 || peer.node(2).calls < 5) static_cast<void>(co_await sleep(ctx, 1ms));
    dns.zones["peer.internal"].v4 = {"10.0.0.3"};
    for (int n : {1, 2}) {
      peer.node(n).answer = refuses();
      peer.node(n).failing = true;
    }
    co_await peer.calls(1);
    EXPECT_TRUE(peer.node(1).closed);
    const int before = peer.node(1).calls + peer.node(2).calls;
    while (peer.node(3).calls < 10) static_cast<void>(co_await sleep(ctx, 1ms));
    EXPECT_EQ(peer.node(1).calls + peer.node(2).calls, before);
    co_await peer.end();
  });
}
}  // namespace
}  // namespace duplex::client
