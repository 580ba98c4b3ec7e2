// What a caller sees of a server that refuses calls for now: the same over each protocol, in its own words.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "duplex/resilience/admission.h"
#include "duplex/resilience/rate_limit.h"
#include "duplex/runtime/run.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using namespace resilience;
using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::TalkClient;
using talk::v1::TalkService;

struct Overloaded {
  explicit Overloaded(const Filter& filter) {
    server.listen("127.0.0.1:0").serve(service).use(filter);
    Status s = server.start();
    if (!s.is_ok()) throw std::runtime_error(s.to_string());
    address = server.addresses()[0];
  }
  std::shared_ptr<TalkService> service = std::make_shared<TalkService>();
  Server server{Pair::quiet()};
  std::string address;
};

Filter one_call_at_a_time(Duration retry_after) {
  ServerLimitSettings settings;
  settings.in_flight = 1;
  settings.retry_after = retry_after;
  return admit(settings, std::make_shared<Admission>(settings));
}

// Runs `body` while the one call that the server takes on is under way.
void while_busy(Overloaded& bed, const std::function<void(TalkClient&)>& body) {
  Client::Settings settings;
  settings.name = "talk";
  settings.address = bed.address;
  TalkClient client(std::make_shared<Client>(settings));
  std::promise<void> ended;
  LoopThread caller;
  Context* held = nullptr;
  caller.spawn([&](Context& ctx) -> Task<void> {
    held = &ctx;
    SayRequest request;
    request.set_wait_ms(3'600'000);
    static_cast<void>(co_await client.say(ctx, request));
    ended.set_value();
  });
  while (bed.service->running == 0) std::this_thread::yield();
  body(client);
  caller.loop().post([&] { held->cancel(Status::cancelled("the test has seen it")); });
  ended.get_future().wait();
}

TEST(Overload, AGrpcCallerIsToldWhenToComeAgainInTrailersAndDetails) {
  Overloaded bed(one_call_at_a_time(1500ms));
  while_busy(bed, [&](TalkClient&) {
    Fd fd = dial(bed.address);
    Peer2 peer(fd.get());
    const int32_t id = peer.request(framed(""), true, {{":path", "/talk.v1.Talk/Say"}});
    ASSERT_TRUE(peer.until_closed(id));
    auto& fields = peer.streams[id]->fields;
    EXPECT_EQ(fields[":status"], "200");
    EXPECT_EQ(fields["grpc-status"], "8");
    EXPECT_EQ(fields["retry-after"], "2");
    EXPECT_EQ(fields["grpc-retry-pushback-ms"], "1500");
    EXPECT_TRUE(fields.contains("grpc-status-details-bin"));
    EXPECT_TRUE(peer.streams[id]->data.empty());
  });
}

TEST(Overload, ATypedClientSeesTheDetailAndTheTrailers) {
  Overloaded bed(one_call_at_a_time(1s));
  while_busy(bed, [&](TalkClient& client) {
    run([&](Context& ctx) -> Task<void> {
      CallOptions options;
      Reply reply;
      options.reply = &reply;
      SayRequest request;
      Result<SayReply> said = co_await client.say(ctx, request, options);
      EXPECT_EQ(said.error().code(), Code::kResourceExhausted);
      if (said.error().details().size() != 1u) {
        ADD_FAILURE() << said.error().to_string();
        co_return;
      }
      EXPECT_EQ(said.error().details()[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
      EXPECT_EQ(said.error().details()[0].value, std::string("\x0a\x02\x08\x01", 4));
      EXPECT_EQ(reply.trailers.find("grpc-retry-pushback-ms"), "1000");
    });
  });
}

TEST(Overload, ARestCallerGets429AndRetryAfter) {
  Overloaded bed(one_call_at_a_time(1500ms));
  while_busy(bed, [&](TalkClient&) {
    Peer1 peer(bed.address);
    const std::string answer = peer.ask("POST", "/v1/say", "content-type: application/json\r\n", "{}");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 429 ")) << answer;
    EXPECT_TRUE(has(answer, "retry-after: 2\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\"code\":\"RESOURCE_EXHAUSTED\"")) << answer;
    EXPECT_TRUE(has(answer, "google.rpc.RetryInfo")) << answer;
    EXPECT_FALSE(has(answer, "grpc-")) << answer;
  });
}

TEST(Overload, IsToldToACallerWhoseRequestHasNotCome) {
  Overloaded bed(one_call_at_a_time(1s));
  while_busy(bed, [&](TalkClient&) {
    Peer1 http1(bed.address);
    const std::string answer =
        http1.ask("POST", "/v1/say", "content-type: application/json\r\ncontent-length: 1000000\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 429 ")) << answer;
    Fd fd = dial(bed.address);
    Peer2 http2(fd.get());
    const int32_t id = http2.request("", false, {{":path", "/talk.v1.Talk/Say"}});
    ASSERT_TRUE(http2.until_closed(id));
    EXPECT_EQ(http2.streams[id]->fields["grpc-status"], "8");
  });
}

TEST(Overload, WhoLooksAfterTheServerIsNeverShed) {
  Overloaded bed(one_call_at_a_time(1s));
  while_busy(bed, [&](TalkClient&) {
    Peer1 peer(bed.address);
    for (const char* path : {"/livez", "/readyz", "/metrics"})
      EXPECT_TRUE(peer.ask("GET", path).starts_with("HTTP/1.1 200 ")) << path;
  });
}

TEST(Overload, ARestCallerSeesItsRateLimitInTheDraftsFields) {
  RateLimitSettings by_tenant;
  by_tenant.key = "metadata:x-tenant";
  by_tenant.rate = 0.001;
  by_tenant.burst = 2;
  Overloaded bed(rate_limit({by_tenant}, std::make_shared<RateLimiter>()));
  Peer1 peer(bed.address);
  auto say = [&](const std::string& tenant) {
    return peer.ask("POST", "/v1/say", "content-type: application/json\r\nx-tenant: " + tenant + "\r\n", "{}");
  };
  std::string answer = say("acme");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(has(answer, "ratelimit-policy: \"x-tenant\";q=2;w=2000\r\n")) << answer;
  EXPECT_TRUE(has(answer, "ratelimit: \"x-tenant\";r=1;t=1000\r\n")) << answer;
  say("acme");
  answer = say("acme");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 429 ")) << answer;
  EXPECT_TRUE(has(answer, "ratelimit: \"x-tenant\";r=0;t=2000\r\n")) << answer;
  EXPECT_TRUE(has(answer, "retry-after: 1000\r\n")) << answer;
  EXPECT_TRUE(say("other").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace duplex
