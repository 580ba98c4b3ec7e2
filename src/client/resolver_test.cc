// The resolver against a DNS server of the test's own, on the same loop: UDP and TCP on one port of loopback.
#include "duplex/client/resolver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "duplex/runtime/run.h"
#include "duplex/runtime/socket.h"

namespace duplex::client {
namespace {

using namespace std::chrono_literals;

class DnsServer final : private Watch {
 public:
  struct Zone {
    std::vector<std::string> v4, v6;
    uint32_t ttl = 300;
    std::string alias_of;  // a CNAME before the addresses
    uint32_t alias_ttl = 300;
    int rcode = 0;
    bool silent = false;    // no answer at all
    bool too_long = false;  // truncated over UDP: to be asked over TCP
  };

  explicit DnsServer(Loop& loop) : loop_(loop) {
    Fd listening;
    for (bool bound = false; !bound;) {  // TCP chooses a port; UDP takes the same number, unless somebody has it
      listening = std::move(*listen_on(*Address::parse("127.0.0.1:0")));
      address_ = local_address(listening.get());
      udp_ = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_port = htons(Address::parse(address_)->port());
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      bound = ::bind(udp_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    }
    loop_.watch(udp_.get(), *this);
    acceptor_ = std::make_unique<Acceptor>(loop_, std::move(listening), [this](Fd socket, std::string) {
      streams_.push_back(std::make_unique<Stream>(*this, std::move(socket)));
    });
  }
  ~DnsServer() { loop_.unwatch(udp_.get(), *this); }

  const std::string& address() const { return address_; }
  int asked(const std::string& name, int type) const {
    auto found = asked_.find({name, type});
    return found == asked_.end() ? 0 : found->second;
  }
  int asked(const std::string& name) const { return asked(name, 1) + asked(name, 28); }
  int over_tcp() const { return over_tcp_; }
  size_t connections() const { return streams_.size(); }
  // What came while a zone was silent is answered now.
  void answer_late() {
    for (auto& [question, from] : held_) reply_udp(question, from);
    held_.clear();
  }

  std::map<std::string, Zone> zones;  // a name that is not here does not exist

 private:
  struct Stream final : Watch {
    Stream(DnsServer& s, Fd f) : server(s), fd(std::move(f)) { server.loop_.watch(fd.get(), *this); }
    ~Stream() { server.loop_.unwatch(fd.get(), *this); }
    void on_ready(bool, bool, bool) override {
      char buffer[4096];
      for (ssize_t n; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;) in.append(buffer, static_cast<size_t>(n));
      while (in.size() >= 2) {
        size_t length = static_cast<uint8_t>(in[0]) * 256u + static_cast<uint8_t>(in[1]);
        if (in.size() < 2 + length) return;
        ++server.over_tcp_;
        std::string reply = server.answer(in.substr(2, length), true), framed;
        in.erase(0, 2 + length);
        put16(framed, reply.size());
        framed += reply;  // in one write: one edge for two reads of c-ares
        [[maybe_unused]] auto written = ::write(fd.get(), framed.data(), framed.size());
      }
    }
    DnsServer& server;
    Fd fd;
    std::string in;
  };

  static void put16(std::string& out, size_t n) {
    out += static_cast<char>(n >> 8);
    out += static_cast<char>(n);
  }
  static void put32(std::string& out, uint32_t n) {
    put16(out, n >> 16);
    put16(out, n & 0xffff);
  }
  static std::string encoded(std::string_view name) {
    std::string out;
    while (!name.empty()) {
      std::string_view label = name.substr(0, name.find('.'));
      out += static_cast<char>(label.size());
      out += label;
      name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return out + '\0';
  }
  static void put_record(std::string& out, const std::string& owner, int type, uint32_t ttl, const std::string& data) {
    out += owner;
    put16(out, static_cast<size_t>(type));
    put16(out, 1);
    put32(out, ttl);
    put16(out, data.size());
    out += data;
  }
  static std::pair<std::string, int> read_question(const std::string& question) {
    std::string name;
    size_t at = 12;
    while (question.at(at)) {
      name += (name.empty() ? "" : ".") + question.substr(at + 1, static_cast<uint8_t>(question[at]));
      at += 1 + static_cast<uint8_t>(question[at]);
    }
    return {name, static_cast<uint8_t>(question.at(at + 2))};
  }

  std::string answer(const std::string& question, bool tcp) {
    auto [name, type] = read_question(question);
    auto known = zones.find(name);
    Zone zone;
    if (known == zones.end())
      zone.rcode = 3;
    else
      zone = known->second;
    bool truncated = zone.too_long && !tcp;
    std::string owner = encoded(name), records;
    size_t count = 0;
    if (!zone.alias_of.empty()) {
      put_record(records, owner, 5, zone.alias_ttl, encoded(zone.alias_of));
      owner = encoded(zone.alias_of);
      ++count;
    }
    for (const std::string& ip : type == 1 ? zone.v4 : zone.v6) {
      char bytes[16];
      inet_pton(type == 1 ? AF_INET : AF_INET6, ip.c_str(), bytes);
      put_record(records, owner, type, zone.ttl, std::string(bytes, type == 1 ? 4 : 16));
      ++count;
    }
    if (truncated) count = 0, records.clear();
    std::string out = question.substr(0, 2);
    put16(out, 0x8180u | (truncated ? 0x0200u : 0u) | static_cast<unsigned>(zone.rcode));
    put16(out, 1);
    put16(out, count);
    put32(out, 0);
    return out + question.substr(12, encoded(name).size() + 4) + records;
  }

  void reply_udp(const std::string& question, const sockaddr_in& to) {
    std::string reply = answer(question, false);
    ::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }

  void on_ready(bool, bool, bool) override {
    char buffer[2048];
    sockaddr_in from{};
    for (;;) {
      socklen_t size = sizeof from;
      ssize_t n = ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) return;
      std::string question(buffer, static_cast<size_t>(n));
      auto [name, type] = read_question(question);
      ++asked_[{name, type}];
      auto known = zones.find(name);
      if (known != zones.end() && known->second.silent)
        held_.emplace_back(question, from);
      else
        reply_udp(question, from);
    }
  }

  Loop& loop_;
  Fd udp_;
  std::string address_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::map<std::pair<std::string, int>, int> asked_;
  std::vector<std::pair<std::string, sockaddr_in>> held_;
  int over_tcp_ = 0;
};

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

}  // namespace
}  // namespace duplex::client
