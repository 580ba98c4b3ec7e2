// A client's policies through real sockets, set as a configuration sets them.
#include <gtest/gtest.h>

#include <set>

#include "app/all_policies.h"
#include "app/peer_directory.h"
#include "duplex/app/configured.h"
#include "duplex/client/route.h"
#include "duplex/protocols/http_client.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"
#include "duplex/telemetry/trace_context.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::TalkClient;

class PoliciesTest : public testing::Test {
 protected:
  PoliciesTest() {
    Server::Settings settings = Pair::quiet();
    settings.loops = 1;
    server = std::make_unique<Server>(settings);
    server->listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
    server->use(filter([this](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
      seen.push_back(std::string(c.metadata.find("grpc-previous-rpc-attempts").value_or("first")));
      if (auto parent = TraceContext::of(c.metadata)) parents.push_back(*parent);
      if (seen.size() <= fail) co_return fail_with;
      co_return co_await next.call(ctx, c);
    }));
    EXPECT_TRUE(server->start().is_ok());
  }
  // A client by the rules of a peer in YAML.
  TalkClient client(const std::string& rules) {
    auto conf = parse_configuration(
        "peers: {talk: {address: \"" + server->addresses()[0] + "\"" + (rules.empty() ? "" : ", " + rules) + "}}",
        "test.yaml");
    EXPECT_TRUE(conf) << conf.error().to_string();
    peer = std::make_shared<Client>(*peer_settings(*conf, "talk"));
    return TalkClient(peer);
  }
  Result<SayReply> say(TalkClient& talk, Metadata metadata = {}, int64_t wait_ms = 0) {
    return run([&](Context& ctx) -> Task<Result<SayReply>> {
      SayRequest request;
      request.set_name("x");
      request.set_wait_ms(static_cast<int32_t>(wait_ms));
      CallOptions options(metadata);
      co_return co_await talk.say(ctx, request, options);
    });
  }
  std::vector<std::string> seen;      // on the server's one loop
  std::vector<TraceContext> parents;  // of the calls that came
  size_t fail = 0;                    // so many calls
  Status fail_with = Status::unavailable("not now");
  std::unique_ptr<Server> server;
  std::shared_ptr<Client> peer;
};

TEST_F(PoliciesTest, ARetryReachesTheServerAgain) {
  fail = 2;
  TalkClient talk = client("retry: {attempts: 3, idempotent: yes, backoff: {base: 1ms}}");
  Result<SayReply> reply = say(talk);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->text(), "hello x");
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(PoliciesTest, EachAttemptIsASpanOfTheCallsTrace) {
  fail = 2;
  TalkClient talk = client("retry: {attempts: 3, idempotent: yes, backoff: {base: 1ms}}");
  Metadata metadata;
  metadata.add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  ASSERT_TRUE(say(talk, metadata));
  ASSERT_EQ(parents.size(), 3u);
  std::set<uint64_t> spans;
  for (const TraceContext& parent : parents) {
    EXPECT_EQ(parent.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    spans.insert(parent.span_id.value);
  }
  EXPECT_EQ(spans.size(), 3u);
  EXPECT_FALSE(spans.contains(0xb7ad6b7169203331));
}

TEST_F(PoliciesTest, WhatMayHaveBeenSeenIsNotMadeAgainUnlessItMayBe) {
  fail = 100;
  TalkClient talk = client("retry: {attempts: 3, backoff: {base: 1ms}}");
  EXPECT_EQ(say(talk).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 1u);
  Metadata key;
  key.add("idempotency-key", "7");
  EXPECT_EQ(say(talk, key).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 4u);
}

TEST_F(PoliciesTest, AnOpenBreakerKeepsCallsFromTheServer) {
  fail = 100;
  TalkClient talk = client("breaker: {window: 10 calls, minimum: 4, open_for: 1h}");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(say(talk).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_NE(say(talk).error().message().find("circuit breaker"), std::string::npos);
}

TEST_F(PoliciesTest, AMethodHasItsOwnRules) {
  fail = 100;
  TalkClient talk = client(
      "breaker: {window: 10 calls, minimum: 4, open_for: 1h}, methods: {talk.v1.Talk/Say: {breaker: off, retry: "
      "{attempts: 2, idempotent: yes, backoff: {base: 1ms}}}}");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(say(talk).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 20u);
}

TEST_F(PoliciesTest, AFallbackAnswersWhenRetriesAreUsedUp) {
  TalkClient talk = client(
      "retry: {attempts: 2, idempotent: yes, backoff: {base: 1ms}}, breaker: {window: 10 calls, minimum: 2, open_for: "
      "1h}, fallback: {last_good: on}");
  ASSERT_TRUE(say(talk));
  fail = 100;
  Result<SayReply> reply = say(talk);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->text(), "hello x");
  EXPECT_EQ(seen.size(), 2u);  // the second failure of three calls opened the breaker, no third attempt was made
}

TEST_F(PoliciesTest, AStaticReplyIsReadFromTheConfiguration) {
  fail = 100;
  for (const char* written : {"'{\"text\": \"nobody is here\"}'", "'text: \"nobody is here\"'"}) {
    TalkClient talk = client("methods: {talk.v1.Talk/Say: {fallback: {reply: " + std::string(written) + "}}}");
    Result<SayReply> reply = say(talk);
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->text(), "nobody is here");
  }
}

TEST_F(PoliciesTest, AReplyThatIsNoneOfTheMethodsIsToldByEachCallAndBefore) {
  TalkClient talk = client("methods: {talk.v1.Talk/Say: {fallback: {reply: '{\"txt\": 1}'}}}");
  EXPECT_TRUE(peer->mistake().message().starts_with("test.yaml:1:"));
  EXPECT_EQ(say(talk).error().message(), peer->mistake().message());
  EXPECT_EQ(seen.size(), 0u);
}

// gRPC's own form of the rules, as JSON in the file.
std::string service_config(const std::string& name, const std::string& more = "") {
  return "service_config: '{\"methodConfig\": [{\"name\": [" + name +
         "], \"retryPolicy\": {\"maxAttempts\": 4, \"initialBackoff\": \"0.001s\", \"maxBackoff\": \"0.001s\", "
         "\"backoffMultiplier\": 1, \"retryableStatusCodes\": [\"UNAVAILABLE\"]}}]" +
         more + "}'";
}

TEST_F(PoliciesTest, AServiceConfigSaysWhichMethodsAreRetried) {
  fail = 3;
  TalkClient talk = client(service_config("{\"service\": \"talk.v1.Talk\", \"method\": \"Say\"}"));
  EXPECT_TRUE(say(talk));
  EXPECT_EQ(seen, (std::vector<std::string>{"first", "1", "2", "3"}));
  seen.clear();
  TalkClient other = client(service_config("{\"service\": \"talk.v1.Talk\", \"method\": \"Add\"}"));
  EXPECT_EQ(say(other).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 1u);
}

TEST_F(PoliciesTest, ThatItThrottlesOutlastsAReload) {
  fail = 100;
  const std::string rules = service_config("{\"service\": \"talk.v1.Talk\"}",
                                           ", \"retryThrottling\": {\"maxTokens\": 4, \"tokenRatio\": 0.1}");
  TalkClient talk = client(rules);
  EXPECT_EQ(say(talk).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 2u);  // two of four tokens are left: no further attempt is made
  auto conf = parse_configuration("peers: {talk: {address: \"" + server->addresses()[0] + "\", " + rules + "}}", "t");
  EXPECT_TRUE(peer->reconfigure(*peer_settings(*conf, "talk")).is_ok());
  EXPECT_EQ(say(talk).error().code(), Code::kUnavailable);
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(PoliciesTest, AHandlerOfTheUsersOwnAnswers) {
  struct ByHand final : Service {
    Task<Outcome> call(Context& ctx, Call& c) override {
      SayReply mine;
      mine.set_text("by hand");
      Message m(Bytes::copy(mine.SerializeAsString()));
      co_return co_await c.out->write(ctx, std::move(m));
    }
  };
  fail = 100;
  TalkClient talk = client("");
  peer->fallback("talk.v1.Talk/Say", std::make_shared<ByHand>());
  Result<SayReply> reply = say(talk);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->text(), "by hand");
}

TEST_F(PoliciesTest, AHedgeOvertakesASlowCall) {
  std::atomic<int> calls{0};
  server->stop();
  Server::Settings settings = Pair::quiet();
  settings.loops = 1;
  auto service = std::make_shared<talk::v1::TalkService>();
  server = std::make_unique<Server>(settings);
  server->listen("127.0.0.1:0").serve(service);
  server->use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    if (++calls == 1) co_return co_await sleep(ctx, 1h);
    co_return co_await next.call(ctx, c);
  }));
  ASSERT_TRUE(server->start().is_ok());
  TalkClient talk = client("hedge: {attempts: 2, delay: 20ms, idempotent: yes}");
  Result<SayReply> reply = say(talk);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(calls, 2);
}

TEST_F(PoliciesTest, ALimitHoldsCallsBack) {
  TalkClient talk = client("limit: {in_flight: 1, queue: 1}");
  std::vector<Code> codes;
  run([&](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    for (int i = 0; i < 4; ++i)
      scope.spawn([&](Context& child) -> Task<void> {
        SayRequest request;
        request.set_wait_ms(30);
        Result<SayReply> reply = co_await talk.say(child, request);
        codes.push_back(reply.error().code());
      });
    co_await scope.join();
  });
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kOk), 2);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), Code::kResourceExhausted), 2);
}

TEST_F(PoliciesTest, WhoWaitsForReadyOutlastsAPeerThatIsNotThere) {
  const std::string address = server->addresses()[0];
  TalkClient patient = client("timeout: 20s, wait_for_ready: true");
  server->stop();
  run([&](Context& ctx) -> Task<void> {
    app::PeerDirectory directory;
    Context own(ctx);
    own.put(directory);
    Scope scope(own);
    Result<SayReply> reply = Status::unknown("not ended");
    scope.spawn([&](Context& child) -> Task<void> {
      SayRequest request;
      reply = co_await patient.say(child, request);
    });
    bool refused = false;  // the call has met nobody
    for (Status s; s.is_ok() && !refused; s = co_await sleep(ctx, 1ms)) {
      const std::vector<app::PeerReport> reports = co_await directory.report(own);
      for (const app::PeerReport& report : reports)
        for (const client::EndpointState& endpoint : report.endpoints) refused |= !endpoint.reachable;
    }
    EXPECT_TRUE(refused);
    server = std::make_unique<Server>(Pair::quiet());
    server->listen(address).serve(std::make_shared<talk::v1::TalkService>());
    EXPECT_TRUE(server->start().is_ok());
    co_await scope.join();
    EXPECT_TRUE(reply) << reply.error().to_string();
  });
}

TEST_F(PoliciesTest, ThePageOfPeersShowsWhatPoliciesKnow) {
  fail = 100;
  TalkClient talk = client("breaker: {window: 10 calls, minimum: 2, open_for: 1h}, limit: {in_flight: 9}");
  Server::Settings settings = Pair::quiet();
  settings.loops = 1;
  Server front(settings);
  front.listen("127.0.0.1:0").route("GET /ask", [&](Context& ctx, Call&) -> Task<Outcome> {
    SayRequest request;
    Result<SayReply> reply = co_await talk.say(ctx, request);
    co_return reply.error();
  });
  ASSERT_TRUE(front.start().is_ok());
  Peer1 browser(front.addresses()[0]);
  EXPECT_TRUE(browser.ask("GET", "/debug/peers").ends_with("\r\n\r\n{\"peers\": []}\n"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(browser.ask("GET", "/ask").starts_with("HTTP/1.1 503 "));
  const std::string page = browser.ask("GET", "/debug/peers");
  const auto has = [&](const std::string& part) { return page.find(part) != std::string::npos; };
  EXPECT_TRUE(has("{\"name\": \"talk\", \"address\": \"" + server->addresses()[0] + "\"")) << page;
  EXPECT_TRUE(has("{\"method\": \"talk.v1.Talk/Say\", \"state\": \"open\", \"calls\": 2, \"failed\": 2")) << page;
  EXPECT_TRUE(has("\"refused\": 1, \"opened_by\": \"2 of 2 calls failed\"")) << page;
  EXPECT_TRUE(has("\"limit\": {\"in_flight\": 0, \"waiting\": 0, \"most_in_flight\": 9, \"refused\": 0}")) << page;
  EXPECT_TRUE(has("{\"address\": \"" + server->addresses()[0] + "\", \"in_flight\": 0, \"calls\": 2, \"failures\": 2"))
      << page;
  const std::string metrics = browser.ask("GET", "/metrics");
  EXPECT_NE(metrics.find("duplex_breaker_state{peer=\"talk\",rpc_method=\"talk.v1.Talk/Say\"} 1\n"), std::string::npos);
  EXPECT_NE(metrics.find("duplex_policy_events_total{event=\"breaker_refused\",peer=\"talk\",rpc_method=\"talk.v1.Talk/"
                         "Say\"} 1\n"),
            std::string::npos)
      << metrics;
  // Who does not come from this machine does not learn where the peers are.
  EXPECT_TRUE(browser.ask("GET", "/debug/peers", "X-Forwarded-For: 203.0.113.7\r\n").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(front.stop());
}

// Each hop leaves the next one less time, over plain HTTP as over gRPC and REST.
TEST(Deadlines, TravelOverPlainHttpAndShrink) {
  std::vector<Duration> left;
  Server::Settings settings = Pair::quiet();
  settings.loops = 1;
  Server far(settings), near(settings);
  far.listen("127.0.0.1:0").route("GET /x", [&](Context& ctx, Call&) -> Task<Outcome> {
    left.push_back(ctx.remaining());
    co_return Outcome();
  });
  ASSERT_TRUE(far.start().is_ok());
  Client to_far(Client::Settings{.name = "far", .address = far.addresses()[0], .protocol = Protocol::kRest});
  near.listen("127.0.0.1:0").route("GET /x", [&](Context& ctx, Call&) -> Task<Outcome> {
    left.push_back(ctx.remaining());
    co_return (co_await plain::fetch(to_far, ctx, plain::Request("GET", "/x"))).error();
  });
  ASSERT_TRUE(near.start().is_ok());
  Client to_near(Client::Settings{.name = "near", .address = near.addresses()[0], .protocol = Protocol::kRest});
  Result<plain::Answer> answer = run([&](Context& ctx) -> Task<Result<plain::Answer>> {
    Context bounded(ctx, 5s);
    plain::Request request("GET", "/x");
    co_return co_await plain::fetch(to_near, bounded, request);
  });
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->status, 200);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_LE(left[0], 5s);
  EXPECT_LE(left[1], left[0]);
  EXPECT_GT(left[1], 0s);
}

// What `bench policy` measures is at work.
TEST(AllPoliciesAreAtWork, EachHasSeenEveryCall) {
  constexpr int kCalls = 300;
  struct Seen final : Service {
    Task<Outcome> call(Context& ctx, Call& c) override {
      ++calls;
      limited += all->memory().bulkhead->snapshot().in_flight == 1;
      per_try += ctx.remaining() <= 500ms;
      routed += ctx.find<client::Route>() != nullptr;
      Message m(Bytes::copy("reply"));
      co_return co_await c.out->write(ctx, std::move(m));
    }
    app::AllPolicies* all = nullptr;
    int calls = 0, limited = 0, per_try = 0, routed = 0;
  } seen[3];
  app::AllPolicies all([&](size_t i) -> Service& { return seen[i]; });
  for (Seen& s : seen) s.all = &all;
  run([&](Context& ctx) -> Task<void> {
    const Method method("/bench.v1.Echo/Say", false, false, Idempotency::kIdempotent);
    for (int i = 0; i < kCalls; ++i) {
      One in(Message(Bytes::copy("request")));
      Keep out;
      Call call(method, Metadata(), in, out);
      Outcome o = co_await all.chain().call(ctx, call);
      EXPECT_TRUE(o.status.is_ok());
    }
    const Time now = ctx.loop().now();
    EXPECT_NEAR(all.memory().budget->left(now), kCalls * 0.2, 1);
    const auto breakers = all.memory().breakers->snapshot(now);
    EXPECT_EQ(breakers.size(), 1u);
    EXPECT_EQ(breakers.at(0).breaker.counts.calls, 100u);  // its window is full
    uint64_t counted = 0;
    for (const client::EndpointState& e : all.remote().snapshot(now)) counted += e.calls;
    EXPECT_EQ(counted, static_cast<uint64_t>(kCalls));
  });
  int calls = 0;
  for (const Seen& s : seen) {
    EXPECT_GT(s.calls, kCalls / 6);  // p2c: each its share
    EXPECT_EQ(s.limited, s.calls);
    EXPECT_EQ(s.per_try, s.calls);
    EXPECT_EQ(s.routed, s.calls);
    calls += s.calls;
  }
  EXPECT_EQ(calls, kCalls);
}

}  // namespace
}  // namespace duplex
