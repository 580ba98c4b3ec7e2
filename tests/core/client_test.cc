// A client against peers that change, and users' code that throws.
#include "duplex/app/client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "client/dns_server.h"
#include "duplex/client/remote.h"
#include "duplex/http/pool.h"
#include "duplex/protocols/grpc_client.h"
#include "duplex/service/pipe.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using talk::v1::Pair;

// ---- a name whose addresses change ----

class PoolEndpoint final : public client::Endpoint {
 public:
  PoolEndpoint(Scope& scope, const Address& address)
      : pool_(scope, "peer", address, http::PoolSettings()), grpc_(pool_, settings()) {}
  Service& service() override { return grpc_; }
  bool failing() const override { return pool_.failing(); }
  void close(const Status& why) override { pool_.close(why); }
  bool idle() const override { return pool_.idle(); }

 private:
  static grpc::ClientSettings settings() {
    grpc::ClientSettings s;
    s.name = "peer";
    return s;
  }
  http::Pool pool_;
  grpc::Client grpc_;
};

// Takes connections and says nothing.
class SilentPeer {
 public:
  SilentPeer(Loop& loop, const std::string& address)
      : acceptor_(loop, std::move(*listen_on(*Address::parse(address))), [this](Fd fd, std::string) {
          sockets.push_back(std::move(fd));
          came_.notify_all();
        }) {}
  std::string address() const { return acceptor_.address(); }
  Task<Status> wait_connected(Context& ctx) {
    Status s;
    while (s.is_ok() && sockets.empty()) s = co_await came_.wait(ctx);
    co_return s;
  }
  // Waits until the first connection is closed by the other side.
  Task<Status> wait_closed(Context& ctx) {
    for (Status s;; s = co_await sleep(ctx, 1ms)) {
      if (!s.is_ok()) co_return s;
      char room[4096];
      ssize_t n;
      while ((n = ::recv(sockets[0].get(), room, sizeof room, 0)) > 0) {
      }
      if (n == 0 || errno == ECONNRESET) co_return Status();
    }
  }
  std::vector<Fd> sockets;

 private:
  Notifier came_;
  Acceptor acceptor_;
};

TEST(ClientName, ItsAddressesMayChangeWithCallsInFlight) {
  const Method method("/t.T/U", false, false);
  run(
      [&](Context& ctx) -> Task<void> {
        client::DnsServer dns(ctx.loop());
        SilentPeer before(ctx.loop(), "127.0.0.1:0");
        std::string port = std::to_string(Address::parse(before.address())->port());
        SilentPeer after(ctx.loop(), "127.0.0.2:" + port);
        dns.zones["peer.test"].v4 = {"127.0.0.1"};
        dns.zones["peer.test"].ttl = 1;
        client::Resolver::Settings settings;
        settings.servers = dns.address();
        Context own(ctx, 1h);
        Scope pools(own);
        client::Resolver resolver(ctx.loop(), settings);
        client::Remote remote("peer", "peer.test:" + port, &resolver,
                              [&](const Address& a) { return std::make_unique<PoolEndpoint>(pools, a); });
        Context first(own), second(own), third(own);
        Outcome ends[3];
        auto call = [&](Context& c, int which) -> Task<void> {
          One in(text("x"));
          Drop out;
          Call request(method, Metadata(), in, out);
          ends[which] = co_await remote.call(c, request);
        };
        Scope calls(own);
        calls.spawn([&](Context&) { return call(first, 0); });
        EXPECT_TRUE((co_await before.wait_connected(own)).is_ok());
        dns.zones["peer.test"].v4 = {"127.0.0.2"};
        EXPECT_TRUE((co_await sleep(own, 2s)).is_ok());  // the answer has expired
        calls.spawn([&](Context&) { return call(second, 1); });
        EXPECT_TRUE((co_await after.wait_connected(own)).is_ok());
        EXPECT_EQ(remote.in_flight(), 2u);
        EXPECT_TRUE(ends[0].status.is_ok());  // still under way, where it began
        first.cancel(Status::cancelled("enough"));
        Status s;
        while (s.is_ok() && remote.in_flight() == 2) s = co_await yield(own);
        EXPECT_EQ(ends[0].status.code(), Code::kCancelled) << ends[0].status.to_string();
        EXPECT_TRUE((co_await sleep(own, 2s)).is_ok());
        calls.spawn([&](Context&) { return call(third, 2); });  // finds that nobody needs the first address
        EXPECT_TRUE((co_await before.wait_closed(own)).is_ok());
        EXPECT_EQ(remote.in_flight(), 2u);
        second.cancel(Status::cancelled("enough"));
        third.cancel(Status::cancelled("enough"));
        co_await calls.join();
        EXPECT_EQ(ends[1].status.code(), Code::kCancelled) << ends[1].status.to_string();
        EXPECT_EQ(ends[2].status.code(), Code::kCancelled) << ends[2].status.to_string();
        remote.close(Status::unavailable("the test has ended"));
        pools.cancel(Status::unavailable("the test has ended"));
        co_await pools.join();
      },
      Loop::Options{.virtual_time = true});
}

// ---- users' Sources and Sinks that throw ----

const Method kChat("/talk.v1.Talk/Chat", true, true), kSay("/talk.v1.Talk/Say", false, false),
    kCount("/talk.v1.Talk/Count", false, true);

class ThrowingSource final : public Source {
 public:
  explicit ThrowingSource(int messages) : left_(messages) {}
  Task<NextResult> next(Context& ctx) override {
    static_cast<void>(co_await yield(ctx));
    if (left_-- <= 0) throw std::runtime_error("the source broke");
    talk::v1::Number number;
    number.set_value(1);
    co_return std::optional<Message>(text(number.SerializeAsString()));
  }

 private:
  int left_;
};

// Gives its messages, and then waits for as long as the call lasts.
class LastingSource final : public Source {
 public:
  Task<NextResult> next(Context& ctx) override {
    if (given_) co_return co_await sleep(ctx, 1h);
    given_ = true;
    talk::v1::Number number;
    number.set_value(1);
    co_return std::optional<Message>(text(number.SerializeAsString()));
  }

 private:
  bool given_ = false;
};

class ThrowingSink final : public Sink {
 public:
  Task<Status> head(Context&, Metadata) override { return Task<Status>::ready(Status()); }
  Task<Status> write(Context& ctx, Message) override {
    static_cast<void>(co_await yield(ctx));
    throw std::runtime_error("the sink broke");
  }
};

// What a call throws.
std::string thrown(Service& client, const Method& method, Source& in, Sink& out) {
  try {
    run([&](Context& ctx) -> Task<void> {
      Context bounded(ctx, 20s);
      Call call(method, Metadata(), in, out);
      Outcome outcome = co_await client.call(bounded, call);
      ADD_FAILURE() << outcome.status.to_string();
    });
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

TEST(ClientCall, WhatAUsersSourceThrowsReachesTheCaller) {
  Pair pair;
  for (const Method* method : {&kChat, &kSay})
    for (int messages : {0, 1}) {
      if (method == &kSay && messages) continue;
      ThrowingSource in(messages);
      Drop out;
      EXPECT_EQ(thrown(*pair.client, *method, in, out), "the source broke") << method->name << messages;
    }
  // The handler heard that its caller has gone.
  EXPECT_TRUE(soon([&] { return pair.service->running == 0; }));
}

TEST(ClientCall, WhatAUsersSinkThrowsReachesTheCaller) {
  Pair pair;
  ThrowingSink out;
  LastingSource lasting;
  EXPECT_EQ(thrown(*pair.client, kChat, lasting, out), "the sink broke");
  talk::v1::CountRequest count;
  count.set_to(1'000'000);
  One counted(text(count.SerializeAsString())), said(text(""));
  EXPECT_EQ(thrown(*pair.client, kCount, counted, out), "the sink broke");
  EXPECT_EQ(thrown(*pair.client, kSay, said, out), "the sink broke");
  EXPECT_TRUE(soon([&] { return pair.service->running == 0; }));
}

}  // namespace
}  // namespace duplex
