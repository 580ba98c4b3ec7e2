// Retries and hedges of a client, over real sockets and each protocol.
#include "duplex/resilience/retry.h"

#include <gtest/gtest.h>

#include <mutex>

#include "duplex/protocols/http_client.h"
#include "duplex/runtime/run.h"
#include "duplex/service/attempt.h"
#include "talk_service.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
using talk::v1::CountRequest;
using talk::v1::Number;
using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::Sum;
using talk::v1::TalkClient;

resilience::RetrySettings at_once() {
  resilience::RetrySettings s;
  s.backoff.base = 1ms;
  return s;
}

std::shared_ptr<Client> peer_at(Server& server, Protocol protocol) {
  return std::make_shared<Client>(
      Client::Settings{.name = "talk", .address = server.addresses()[0], .protocol = protocol});
}

// What a server's handlers were told of earlier attempts, each call that came in.
class Previous {
 public:
  void add(const Call& c) {
    std::lock_guard lock(mutex_);
    seen_ += std::string(c.metadata.find(kPreviousAttempts).value_or("-")) + " ";
  }
  std::string take() {
    std::lock_guard lock(mutex_);
    return std::exchange(seen_, "");
  }

 private:
  std::mutex mutex_;
  std::string seen_;
};

// Fails all but the third attempt.
Filter third_time_lucky(Previous& previous) {
  return filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    previous.add(c);
    if (c.metadata.find(kPreviousAttempts) == "2") co_return co_await next.call(ctx, c);
    co_return Status::unavailable("not yet");
  });
}

TEST(RetryOverSockets, AStreamOfRepliesThatFailedBeforeItBegan) {
  Previous previous;
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>()).use(third_time_lucky(previous));
  ASSERT_TRUE(server.start().is_ok());
  for (Protocol protocol : {Protocol::kGrpc, Protocol::kRest}) {
    auto peer = peer_at(server, protocol);
    peer->use(resilience::retry("talk", at_once(), nullptr));
    run([&](Context& ctx) -> Task<void> {
      TalkClient client(peer);
      CountRequest request;
      request.set_to(5);
      int64_t sum = 0;
      ReadBody<Number> read = [&](Context& c, Reader<Number>& in) -> Task<Status> {
        for (;;) {
          auto n = co_await in.next(c);
          if (!n) co_return n.error();
          if (!*n) co_return Status();
          sum += (*n)->value();
        }
      };
      Status s = co_await client.count(ctx, request, read);
      EXPECT_TRUE(s.is_ok()) << s.to_string();
      EXPECT_GT(sum, 0);
    });
    EXPECT_EQ(previous.take(), "- 1 2 ");
  }
}

// Asks another server for what it is asked.
class Hop final : public talk::v1::TalkBase {
 public:
  explicit Hop(std::shared_ptr<Client> to) : to_(std::move(to)) {}
  Task<Result<SayReply>> say(Context& ctx, const SayRequest& request) override {
    Result<SayReply> reply = co_await to_.say(ctx, request);
    if (!reply && request.name() == "recovers") co_return SayReply();
    co_return reply;
  }
  Task<Status> count(Context&, const CountRequest&, Writer<Number>&) override { co_return Status(); }
  Task<Result<Sum>> add(Context&, Reader<Number>&) override { co_return Sum(); }
  Task<Status> chat(Context&, Reader<Number>&, Writer<Number>&) override { co_return Status(); }

 private:
  TalkClient to_;
};

TEST(RetryOverSockets, AHopWhoseBudgetIsEmptyAsksItsCallerNotToTryAgain) {
  resilience::RetrySettings settings = at_once();
  settings.idempotent = resilience::Repeat::kAlways;
  for (bool empty : {true, false}) {
    Previous at_far, at_near;
    Server far(Pair::quiet()), near(Pair::quiet());
    far.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
    far.use(filter([&](Context&, Call& c, Service&) -> Task<Outcome> {
      at_far.add(c);
      co_return Status::unavailable("down");
    }));
    ASSERT_TRUE(far.start().is_ok());
    auto to_far = peer_at(far, Protocol::kGrpc);
    std::shared_ptr<resilience::Budget> budget;
    if (empty) budget = std::make_shared<resilience::RetryBudget>(resilience::BudgetSettings{.ratio = 0, .floor = 0});
    to_far->use(resilience::retry("far", settings, budget));
    near.listen("127.0.0.1:0").serve(std::make_shared<Hop>(to_far));
    near.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
      at_near.add(c);
      co_return co_await next.call(ctx, c);
    }));
    ASSERT_TRUE(near.start().is_ok());
    auto to_near = peer_at(near, Protocol::kGrpc);
    to_near->use(resilience::retry("near", settings, nullptr));
    run([&](Context& ctx) -> Task<void> {
      TalkClient client(to_near);
      SayRequest request;
      Result<SayReply> reply = co_await client.say(ctx, request);
      EXPECT_EQ(reply.error().code(), Code::kUnavailable);
      EXPECT_EQ(at_near.take(), empty ? "- " : "- 1 2 ");
      EXPECT_EQ(at_far.take(), empty ? "- " : "- 1 2 - 1 2 - 1 2 ");
      // Who has an answer all the same says nothing of it.
      request.set_name("recovers");
      Reply answer;
      CallOptions options;
      options.reply = &answer;
      reply = co_await client.say(ctx, request, options);
      EXPECT_TRUE(reply) << reply.error().to_string();
      EXPECT_FALSE(answer.trailers.find("grpc-retry-pushback-ms"));
    });
  }
}

TEST(RetryOverSockets, AStreamOfRequestsIsSentAgain) {
  Previous previous;
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>()).use(third_time_lucky(previous));
  ASSERT_TRUE(server.start().is_ok());
  auto peer = peer_at(server, Protocol::kGrpc);
  resilience::RetrySettings s = at_once();
  s.idempotent = resilience::Repeat::kAlways;
  peer->use(resilience::retry("talk", s, nullptr));
  run([&](Context& ctx) -> Task<void> {
    TalkClient client(peer);
    WriteBody<Number> write = [](Context& c, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 100; ++i) {
        Number n;
        n.set_value(i);
        if (Status written = co_await out.write(c, n); !written.is_ok()) co_return written;
      }
      co_return Status();
    };
    Result<Sum> sum = co_await client.add(ctx, write);
    EXPECT_TRUE(sum) << sum.error().to_string();
    if (sum) {
      EXPECT_EQ(sum->value(), 5050);
    }
  });
  EXPECT_EQ(previous.take(), "- 1 2 ");
}

TEST(RetryOverSockets, APlainRequestAndTheAnswerOfAPeerThatStaysDown) {
  std::atomic<int> asked{0};
  const auto answers = [&](int status, std::string_view text) {
    return [&asked, status, text](Context& ctx, Call& c) -> Task<Outcome> {
      ++asked;
      Metadata head;
      head.add(":status", std::to_string(asked % 3 == 0 && status == 200 ? 200 : 503));
      if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
      Message body(Bytes::copy(text), Format::kOpaque);
      co_return co_await c.out->write(ctx, std::move(body));
    };
  };
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /flaky", answers(200, "page")).route("GET /down", answers(503, "sorry"));
  ASSERT_TRUE(server.start().is_ok());
  for (Protocol protocol : {Protocol::kGrpc, Protocol::kRest}) {
    auto peer = peer_at(server, protocol);
    peer->use(resilience::retry("talk", at_once(), nullptr));
    run([&](Context& ctx) -> Task<void> {
      asked = 0;
      plain::Request request("GET", "/flaky");
      Result<plain::Answer> a = co_await plain::fetch(*peer, ctx, request);
      EXPECT_TRUE(a && a->status == 200 && a->body.view() == "page") << a.error().to_string();
      EXPECT_EQ(asked, 3);
      request.path = "/down";
      a = co_await plain::fetch(*peer, ctx, request);
      EXPECT_TRUE(a && a->status == 503 && a->body.view() == "sorry") << a.error().to_string();
      EXPECT_EQ(asked, 6);
    });
  }
}

TEST(RetryOverSockets, AHandlersPushbackIsHeard) {
  Previous previous;
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  server.use(filter([&](Context&, Call& c, Service&) -> Task<Outcome> {
    previous.add(c);
    Outcome outcome(Status::unavailable("go away"));
    outcome.trailers.add("grpc-retry-pushback-ms", "-1");
    co_return outcome;
  }));
  ASSERT_TRUE(server.start().is_ok());
  auto peer = peer_at(server, Protocol::kGrpc);
  resilience::RetrySettings s = at_once();
  s.idempotent = resilience::Repeat::kAlways;
  peer->use(resilience::retry("talk", s, nullptr));
  run([&](Context& ctx) -> Task<void> {
    TalkClient client(peer);
    talk::v1::SayRequest request;
    Reply reply;
    CallOptions options;
    options.reply = &reply;
    auto r = co_await client.say(ctx, request, options);
    EXPECT_EQ(r.error().code(), Code::kUnavailable);
    EXPECT_FALSE(reply.trailers.find("grpc-retry-pushback-ms"));
  });
  EXPECT_EQ(previous.take(), "- ");
}

// The loser's stream is reset, and its handler hears it.
TEST(HedgeOverSockets, TheLosersHandlerIsCancelled) {
  std::atomic<int> cancelled{0};
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    if (c.metadata.find(kPreviousAttempts)) co_return co_await next.call(ctx, c);
    Status s = co_await sleep(ctx, 1h);
    ++cancelled;
    co_return s;
  }));
  ASSERT_TRUE(server.start().is_ok());
  auto peer = peer_at(server, Protocol::kGrpc);
  resilience::HedgeSettings s;
  s.delay = 1ms;
  s.idempotent = resilience::Repeat::kAlways;
  peer->use(resilience::hedge("talk", s, nullptr));
  run([&](Context& ctx) -> Task<void> {
    TalkClient client(peer);
    talk::v1::SayRequest request;
    request.set_name("Ada");
    auto r = co_await client.say(ctx, request);
    EXPECT_TRUE(r) << r.error().to_string();
    Context bounded(ctx, 20s);
    while (cancelled == 0 && !bounded.cancelled()) (void)co_await sleep(bounded, 1ms);
  });
  EXPECT_EQ(cancelled, 1);
}

}  // namespace
}  // namespace duplex
