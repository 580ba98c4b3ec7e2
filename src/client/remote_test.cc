// Remote over endpoints that do as they are told.
#include "duplex/client/remote.h"

#include <gtest/gtest.h>

#include "client/fake_endpoint.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::client {
namespace {

Outcome refused() { return Outcome::never_sent(Status::unavailable("refused")); }

class RemoteTest : public testing::Test {
 protected:
  std::map<std::string, Node> nodes;
  const Method unary{"/t.T/Unary", false, false}, stream{"/t.T/Stream", true, true};
  Remote remote{"peer", "127.0.0.1:1, 127.0.0.1:2,127.0.0.1:3", nullptr,
                [this](const Address& a) { return std::make_unique<FakeEndpoint>(node(a.port())); }, in_turn()};

  static BalanceSettings in_turn() {
    BalanceSettings settings;
    settings.policy = BalancePolicy::kRoundRobin;
    return settings;
  }

  Node& node(int port) { return nodes["127.0.0.1:" + std::to_string(port)]; }
  std::vector<int> calls() { return {node(1).calls, node(2).calls, node(3).calls}; }
  Outcome call(const Method& method) {
    return run([&](Context& ctx) -> Task<Outcome> {
      One in(Message(Bytes::copy("request")));
      Drop out;
      Call c(method, Metadata(), in, out);
      co_return co_await remote.call(ctx, c);
    });
  }
  void all_answer(std::function<Task<Outcome>(Context&, Call&)> answer) {
    for (int port : {1, 2, 3}) node(port).answer = answer;
  }
};

TEST_F(RemoteTest, EndpointsTakeTurns) {
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(call(unary).status.is_ok());
  EXPECT_EQ(calls(), (std::vector{3, 3, 3}));
  EXPECT_EQ(remote.in_flight(), 0u);
}

TEST_F(RemoteTest, FailingOnesAreSkipped) {
  node(2).failing = true;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(call(unary).status.is_ok());
  EXPECT_EQ(node(2).calls, 0);
  EXPECT_EQ(node(1).calls, 5);
  EXPECT_EQ(node(3).calls, 5);
}

TEST_F(RemoteTest, IfAllFailOneIsTriedAllTheSame) {
  for (int port : {1, 2, 3}) node(port).failing = true;
  EXPECT_TRUE(call(unary).status.is_ok());
}

TEST_F(RemoteTest, WhatWasNeverSentIsTriedElsewhereWithTheSameRequest) {
  std::vector<std::string> requests;
  auto read = [&](Context& ctx, Call& c) -> Task<Outcome> {
    NextResult m = co_await c.in->next(ctx);
    requests.push_back((*m)->bytes.to_string());
    co_return requests.size() < 3 ? refused() : Outcome();
  };
  all_answer(read);
  EXPECT_TRUE(call(unary).status.is_ok());
  EXPECT_EQ(requests, (std::vector<std::string>{"request", "request", "request"}));
  EXPECT_EQ(calls(), (std::vector{1, 1, 1}));
}

TEST_F(RemoteTest, TriesEndSomewhere) {
  all_answer([](Context&, Call&) { return Task<Outcome>::ready(refused()); });
  Outcome o = call(unary);
  EXPECT_TRUE(o.unsent);
  EXPECT_EQ(o.status.code(), Code::kUnavailable);
  EXPECT_EQ(node(1).calls + node(2).calls + node(3).calls, 4);  // each once, and one of them again
}

TEST_F(RemoteTest, WhatMayHaveBeenSeenIsNotTriedAgain) {
  all_answer([](Context&, Call&) { return Task<Outcome>::ready(Outcome(Status::unavailable("lost"))); });
  EXPECT_EQ(call(unary).status.code(), Code::kUnavailable);
  EXPECT_EQ(node(1).calls + node(2).calls + node(3).calls, 1);
}

TEST_F(RemoteTest, AStreamIsTriedAgainOnlyWhileNothingOfItWasTaken) {
  int asked = 0;
  all_answer([&](Context& ctx, Call& c) -> Task<Outcome> {
    if (++asked == 1) co_return refused();
    NextResult m = co_await c.in->next(ctx);
    EXPECT_TRUE(m.has_value());
    co_return refused();
  });
  Outcome o = call(stream);
  EXPECT_EQ(o.status.code(), Code::kUnavailable);
  EXPECT_EQ(asked, 2);
}

TEST_F(RemoteTest, ACancelledCallIsNotTriedAgain) {
  all_answer([](Context&, Call&) { return Task<Outcome>::ready(refused()); });
  run([&](Context& ctx) -> Task<void> {
    Context own(ctx);
    for (int port : {1, 2, 3})
      node(port).answer = [&](Context&, Call&) {
        own.cancel(Status::cancelled("enough"));
        return Task<Outcome>::ready(refused());
      };
    One in{Message()};
    Drop out;
    Call c(unary, Metadata(), in, out);
    Outcome o = co_await remote.call(own, c);
    EXPECT_FALSE(o.status.is_ok());
  });
  EXPECT_EQ(node(1).calls + node(2).calls + node(3).calls, 1);
}

TEST_F(RemoteTest, CloseReachesEveryEndpoint) {
  EXPECT_TRUE(call(unary).status.is_ok());
  remote.close(Status::unavailable("closed"));
  for (int port : {1, 2, 3}) EXPECT_TRUE(node(port).closed);
}

TEST(RemoteErrors, AMalformedAddressNamesThePeer) {
  Remote remote("payments", "not an address", nullptr, nullptr);
  Method m("/t.T/M", false, false);
  Outcome o = run([&](Context& ctx) -> Task<Outcome> {
    One in{Message()};
    Drop out;
    Call c(m, Metadata(), in, out);
    co_return co_await remote.call(ctx, c);
  });
  EXPECT_EQ(o.status.code(), Code::kInvalidArgument);
  EXPECT_TRUE(o.unsent);
  EXPECT_NE(o.status.message().find("payments"), std::string::npos) << o.status.message();
}

}  // namespace
}  // namespace duplex::client
