// The resolver against a DNS server of the test's own, on the same loop: UDP and TCP on one port of loopback.
#include "duplex/client/resolver.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "client/dns_server.h"
#include "duplex/runtime/run.h"

namespace duplex::client {
namespace {

using namespace std::chrono_literals;

Resolver::Settings settings_for(const DnsServer& dns, Duration timeout = 5s, int tries = 2) {
  Resolver::Settings s;
  s.servers = dns.address();
  s.timeout = timeout;
  s.tries = tries;
  return s;
}

bool is_v6(const std::string& ip) { return ip.find(':') != ip.npos; }
std::vector<std::string> of_family(const std::vector<std::string>& all, bool v6) {
  std::vector<std::string> out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out), [&](auto& ip) { return is_v6(ip) == v6; });
  return out;
}

TEST(Resolver, BothFamiliesTakeTurnsInTheOrderOfTheServer) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    DnsServer::Zone zone;
    zone.v4 = {"127.0.0.3", "127.0.0.1", "127.0.0.2"};
    zone.v6 = {"::1", "2001:db8::1"};
    zone.ttl = 120;
    dns.zones["payments.internal"] = zone;
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto found = co_await resolver.resolve(ctx, "payments.internal");
    EXPECT_TRUE(found) << found.error().to_string();
    if (!found) co_return;
    const auto& all = found->addresses;
    EXPECT_EQ(all.size(), 5u);
    EXPECT_EQ(of_family(all, false), zone.v4);
    // Which family is first depends on this host's routes; that they take turns does not.
    for (size_t i = 1; i < 4; ++i) EXPECT_NE(is_v6(all[i]), is_v6(all[i - 1])) << i;
    EXPECT_EQ(found->expires, std::clamp(found->expires, ctx.loop().now() + 115s, ctx.loop().now() + 120s));
    EXPECT_EQ(dns.asked("payments.internal", 1), 1);
    EXPECT_EQ(dns.asked("payments.internal", 28), 1);
  });
}

TEST(Resolver, OneFamilyIsEnoughAndTheSmallestTtlCounts) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    DnsServer::Zone zone;
    zone.v4 = {"127.0.0.1"};
    zone.alias_of = "node7.internal";
    zone.alias_ttl = 20;
    dns.zones["ledger.internal"] = zone;
    DnsServer::Zone zero;
    zero.v6 = {"::1"};
    zero.ttl = 0;
    dns.zones["zero.internal"] = zero;
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto found = co_await resolver.resolve(ctx, "ledger.internal");
    EXPECT_TRUE(found && found->addresses == zone.v4) << found.error().to_string();
    if (found) {
      EXPECT_LE(found->expires, ctx.loop().now() + 20s);
    }
    auto at_zero = co_await resolver.resolve(ctx, "zero.internal");
    EXPECT_TRUE(at_zero && at_zero->addresses == zero.v6) << at_zero.error().to_string();
    if (at_zero) {
      EXPECT_GE(at_zero->expires, ctx.loop().now() + 1s);
    }
  });
}

TEST(Resolver, AnAnswerIsKeptUntilItExpires) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["a.internal"].v4 = {"127.0.0.1"};
    dns.zones["a.internal"].ttl = 1;
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto first = co_await resolver.resolve(ctx, "a.internal");
    EXPECT_TRUE(first) << first.error().to_string();
    if (!first) co_return;
    EXPECT_TRUE(co_await resolver.resolve(ctx, "A.Internal"));
    EXPECT_EQ(dns.asked("a.internal", 1), 1);
    dns.zones["a.internal"].v4 = {"127.0.0.2"};
    Status slept = co_await sleep_until(ctx, first->expires);
    EXPECT_TRUE(slept.is_ok());
    auto second = co_await resolver.resolve(ctx, "a.internal");
    EXPECT_TRUE(second && second->addresses == std::vector<std::string>(1, "127.0.0.2"));
    EXPECT_EQ(dns.asked("a.internal", 1), 2);
  });
}

TEST(Resolver, WhatIsForgottenIsAskedAgain) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["a.internal"].v4 = {"127.0.0.1"};
    Resolver resolver(ctx.loop(), settings_for(dns));
    EXPECT_TRUE(co_await resolver.resolve(ctx, "a.internal"));
    EXPECT_EQ(resolver.cached(), 1u);
    resolver.forget("A.internal");
    resolver.forget("never.heard.of.it");
    EXPECT_EQ(resolver.cached(), 0u);
    EXPECT_TRUE(co_await resolver.resolve(ctx, "a.internal"));
    EXPECT_EQ(dns.asked("a.internal", 1), 2);
  });
}

TEST(Resolver, NoSuchNameSaysSoAndIsNotKept) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto found = co_await resolver.resolve(ctx, "nowhere.internal.");
    EXPECT_EQ(found.error().code(), Code::kUnavailable);
    EXPECT_EQ(found.error().message(), "cannot resolve nowhere.internal.: there is no such name (NXDOMAIN)");
    dns.zones["nowhere.internal"].v4 = {"127.0.0.1"};
    EXPECT_TRUE(co_await resolver.resolve(ctx, "nowhere.internal."));
    dns.zones["empty.internal"] = {};
    auto empty = co_await resolver.resolve(ctx, "empty.internal.");
    EXPECT_EQ(empty.error().message(), "cannot resolve empty.internal.: the name has no address, neither A nor AAAA");
  });
}

TEST(Resolver, AServerThatFailsOrIsSilentOrAbsentIsNamed) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    std::string port = dns.address().substr(dns.address().rfind(':') + 1);
    dns.zones["bad.internal"].rcode = 2;
    dns.zones["silent.internal"].silent = true;
    Resolver resolver(ctx.loop(), settings_for(dns, 60ms, 2));
    auto bad = co_await resolver.resolve(ctx, "bad.internal");
    EXPECT_EQ(bad.error().code(), Code::kUnavailable);
    EXPECT_NE(bad.error().message().find("(asked 127.0.0.1 port " + port + ")"), std::string::npos)
        << bad.error().message();
    Time before = ctx.loop().now();
    auto silent = co_await resolver.resolve(ctx, "silent.internal");
    EXPECT_EQ(silent.error().code(), Code::kUnavailable);
    EXPECT_NE(silent.error().message().find("cannot resolve silent.internal: Timeout"), std::string::npos)
        << silent.error().message();
    EXPECT_GE(ctx.loop().now() - before, 150ms);  // 60 + 120
    EXPECT_LT(ctx.loop().now() - before, 3s);
    EXPECT_EQ(dns.asked("silent.internal", 1), 2);

    Fd closed(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));  // holds a port that does not answer, then lets it go
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(closed.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    Resolver::Settings nobody;
    nobody.servers = local_address(closed.get());
    nobody.timeout = 60ms;
    nobody.tries = 2;
    closed = Fd();
    Resolver lonely(ctx.loop(), nobody);
    auto absent = co_await lonely.resolve(ctx, "a.internal");
    EXPECT_EQ(absent.error().code(), Code::kUnavailable);
    EXPECT_NE(absent.error().message().find(nobody.servers.substr(10)), std::string::npos) << absent.error().message();
  });
}

TEST(Resolver, AServersListThatIsNoneSaysSo) {
  run([](Context& ctx) -> Task<void> {
    Resolver::Settings wrong;
    wrong.servers = "not a server";
    Resolver resolver(ctx.loop(), wrong);
    auto found = co_await resolver.resolve(ctx, "a.internal");
    EXPECT_EQ(found.error().code(), Code::kInvalidArgument);
    EXPECT_NE(found.error().message().find("'not a server'"), std::string::npos);
  });
}

TEST(Resolver, ManyWhoAskAtOnceShareOneQuery) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["a.internal"].v4 = {"127.0.0.1"};
    Resolver resolver(ctx.loop(), settings_for(dns));
    Scope scope(ctx);
    int found = 0;
    for (int i = 0; i < 100; ++i)
      scope.spawn([&](Context& child) -> Task<void> {
        auto result = co_await resolver.resolve(child, "a.internal");
        if (result) ++found;
      });
    co_await scope.join();
    EXPECT_EQ(found, 100);
    EXPECT_EQ(dns.asked("a.internal", 1), 1);
    EXPECT_EQ(dns.asked("a.internal", 28), 1);
  });
}

TEST(Resolver, WhoIsCancelledLeavesAtOnceAndTheQueryGoesOn) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["late.internal"].v4 = {"127.0.0.1"};
    dns.zones["late.internal"].silent = true;
    Resolver resolver(ctx.loop(), settings_for(dns, 30s));
    Time before = ctx.loop().now();
    {
      Context impatient(ctx, 30ms);
      auto result = co_await resolver.resolve(impatient, "late.internal");
      EXPECT_EQ(result.error().code(), Code::kDeadlineExceeded);
      auto again = co_await resolver.resolve(impatient, "late.internal");
      EXPECT_EQ(again.error().code(), Code::kDeadlineExceeded);
    }
    EXPECT_LT(ctx.loop().now() - before, 5s);
    dns.answer_late();
    auto result = co_await resolver.resolve(ctx, "late.internal");
    EXPECT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(dns.asked("late.internal", 1), 1);
    EXPECT_EQ(resolver.cached(), 1u);
  });
}

TEST(Resolver, ItsEndAnswersWhoeverStillWaits) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["silent.internal"].silent = true;
    auto resolver = std::make_unique<Resolver>(ctx.loop(), settings_for(dns, 30s));
    Scope scope(ctx);
    Status status;
    scope.spawn([&](Context& child) -> Task<void> {
      auto result = co_await resolver->resolve(child, "silent.internal");
      status = result.error();
    });
    Status slept = co_await sleep(ctx, 20ms);
    EXPECT_TRUE(slept.is_ok());
    resolver.reset();
    co_await scope.join();
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_EQ(status.message(), "cannot resolve silent.internal: the resolver ends");
  });
}

TEST(Resolver, LongAnswersComeOverOneTcpConnection) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    DnsServer::Zone zone;
    zone.too_long = true;
    for (int i = 1; i <= 60; ++i) zone.v4.push_back("127.0.1." + std::to_string(i));
    for (const char* name : {"one.internal", "two.internal", "three.internal"}) dns.zones[name] = zone;
    dns.zones["silent.internal"].silent = true;
    Resolver resolver(ctx.loop(), settings_for(dns, 20s));
    Time before = ctx.loop().now();
    Context pending(ctx);
    Scope scope(pending);
    std::vector<std::string> two;
    // c-ares hangs up when nothing is asked any more: this one keeps the connection.
    scope.spawn([&](Context& child) -> Task<void> {
      auto never = co_await resolver.resolve(child, "silent.internal");
      EXPECT_FALSE(never);
    });
    scope.spawn([&](Context& child) -> Task<void> {
      auto found = co_await resolver.resolve(child, "two.internal");
      if (found) two = found->addresses;
    });
    auto one = co_await resolver.resolve(ctx, "one.internal");
    EXPECT_TRUE(one && one->addresses == zone.v4) << one.error().to_string();
    // Now the connection is idle and writable: no edge will say so.
    auto three = co_await resolver.resolve(ctx, "three.internal");
    EXPECT_TRUE(three && three->addresses == zone.v4) << three.error().to_string();
    EXPECT_EQ(two, zone.v4);
    EXPECT_EQ(dns.over_tcp(), 6);
    EXPECT_EQ(dns.connections(), 1u);
    EXPECT_LT(ctx.loop().now() - before, 5s);  // no timeout was needed to look again
    scope.cancel(Status::cancelled("enough"));
    co_await scope.join();
  });
}

TEST(Resolver, LocalhostComesFromTheHostsFileAndIpAddressesAreThemselves) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto local = co_await resolver.resolve(ctx, "localhost");
    EXPECT_TRUE(local) << local.error().to_string();
    if (!local) co_return;
    for (const std::string& ip : local->addresses) EXPECT_TRUE(ip.starts_with("127.") || ip == "::1") << ip;
    EXPECT_EQ(local->expires, std::clamp(local->expires, ctx.loop().now() + 50s, ctx.loop().now() + 60s));
    EXPECT_EQ(dns.asked("localhost"), 0);
    for (const char* text : {"127.0.0.1", "2001:db8::7"}) {
      auto ip = co_await resolver.resolve(ctx, text);
      EXPECT_TRUE(ip && ip->addresses == std::vector<std::string>(1, text));
      if (ip) {
        EXPECT_EQ(ip->expires, kNever);
      }
    }
    auto empty = co_await resolver.resolve(ctx, "");
    EXPECT_EQ(empty.error().code(), Code::kInvalidArgument);
  });
}

TEST(Resolver, TheCacheIsBounded) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    Resolver resolver(ctx.loop(), settings_for(dns));
    for (int i = 0; i < 1030; ++i) {
      std::string name = "n" + std::to_string(i) + ".internal";
      dns.zones[name].v4 = {"127.0.0.1"};
      dns.zones[name].ttl = i == 5 ? 60 : 300;
      auto found = co_await resolver.resolve(ctx, name);
      EXPECT_TRUE(found) << found.error().to_string();
    }
    EXPECT_EQ(resolver.cached(), 1024u);
    EXPECT_TRUE(co_await resolver.resolve(ctx, "n1029.internal"));
    EXPECT_TRUE(co_await resolver.resolve(ctx, "n5.internal"));
    EXPECT_EQ(dns.asked("n1029.internal", 1), 1);
    EXPECT_EQ(dns.asked("n5.internal", 1), 2);  // the one that would have expired first made room first
  });
}

// ---- SRV ----

TEST(ResolverServices, RecordsComeWithTheSmallestTtl) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    DnsServer::Zone zone;
    zone.services = {{10, 60, 8080, "a.internal"}, {10, 40, 8081, "b.internal"}, {20, 0, 9, "spare.internal"}};
    zone.ttl = 50;
    zone.alias_of = "other.internal";
    zone.alias_ttl = 20;
    dns.zones["_grpc._tcp.payments.internal"] = zone;
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto found = co_await resolver.resolve_services(ctx, "_grpc._tcp.Payments.internal");
    EXPECT_TRUE(found) << found.error().to_string();
    if (!found) co_return;
    EXPECT_EQ(found->list.size(), 3u);
    EXPECT_EQ(found->list[0].host, "a.internal");
    EXPECT_EQ(found->list[0].port, 8080);
    EXPECT_EQ(found->list[0].weight, 60);
    EXPECT_EQ(found->list[2].priority, 20);
    EXPECT_EQ(found->expires, std::clamp(found->expires, ctx.loop().now() + 15s, ctx.loop().now() + 20s));
    EXPECT_EQ(resolver.cached(), 1u);
    auto again = co_await resolver.resolve_services(ctx, "_grpc._tcp.payments.internal");
    EXPECT_TRUE(again);
    EXPECT_EQ(dns.asked("_grpc._tcp.payments.internal", 33), 1);
    resolver.forget("_grpc._tcp.payments.internal");
    EXPECT_EQ(resolver.cached(), 0u);
  });
}

TEST(ResolverServices, WhatIsMissingSaysSo) {
  run([](Context& ctx) -> Task<void> {
    DnsServer dns(ctx.loop());
    dns.zones["_none._tcp.x.internal"].services = {{0, 0, 0, ""}};
    dns.zones["_empty._tcp.x.internal"].v4 = {"127.0.0.1"};
    dns.zones["_long._tcp.x.internal"].services = {{0, 0, 1, "a.internal"}};
    dns.zones["_long._tcp.x.internal"].too_long = true;
    Resolver resolver(ctx.loop(), settings_for(dns));
    auto none = co_await resolver.resolve_services(ctx, "_none._tcp.x.internal");
    EXPECT_NE(none.error().message().find("says that there is no such service"), std::string::npos)
        << none.error().message();
    auto empty = co_await resolver.resolve_services(ctx, "_empty._tcp.x.internal");
    EXPECT_EQ(empty.error().message(), "cannot find the service _empty._tcp.x.internal: the name has no SRV record");
    auto nowhere = co_await resolver.resolve_services(ctx, "_x._tcp.nowhere.internal");
    EXPECT_EQ(nowhere.error().code(), Code::kUnavailable);
    EXPECT_NE(nowhere.error().message().find("NXDOMAIN"), std::string::npos) << nowhere.error().message();
    auto large = co_await resolver.resolve_services(ctx, "_long._tcp.x.internal");
    EXPECT_TRUE(large) << large.error().message();
    EXPECT_EQ(dns.over_tcp(), 1);
  });
}

}  // namespace
}  // namespace duplex::client
