// Typed clients over REST, and plain requests, through real sockets: our client, our server, one process.
#include <gtest/gtest.h>

#include "duplex/protocols/http_client.h"
#include "duplex/runtime/run.h"
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

std::shared_ptr<Client> peer_of(const Pair& pair, Protocol protocol, std::optional<http::Version> version = {}) {
  Client::Settings settings;
  settings.name = "talk";
  settings.address = const_cast<Pair&>(pair).server.addresses()[0];
  settings.protocol = protocol;
  settings.http_version = version;
  return std::make_shared<Client>(settings);
}

class RestCalls : public testing::TestWithParam<http::Version> {
 protected:
  Pair pair;
  std::shared_ptr<Client> peer = peer_of(pair, Protocol::kRest, GetParam());
  TalkClient client{peer};
};
INSTANTIATE_TEST_SUITE_P(Over, RestCalls, testing::Values(http::Version::kHttp11, http::Version::kHttp2),
                         [](const auto& p) { return p.param == http::Version::kHttp2 ? "Http2" : "Http11"; });

TEST_P(RestCalls, UnaryWithTheDefaultDeadline) {
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_name("Ada & Grace");
    request.set_padding(std::string("\0\xff\x01", 3));
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    if (!r) co_return;
    EXPECT_EQ(r->text(), "hello Ada & Grace");
    EXPECT_EQ(r->padding(), request.padding());
    EXPECT_GT(r->left_ms(), 10'000);
    EXPECT_LE(r->left_ms(), 15'000);
    CallOptions options(1h);  // longer than the server's own for those who bring none
    r = co_await client.say(ctx, request, options);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
  });
}

TEST_P(RestCalls, ManyAtOnce) {
  int good = 0;
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    for (int i = 0; i < 500; ++i)
      scope.spawn([&, i](Context& c) -> Task<void> {
        SayRequest request;
        request.set_name(std::to_string(i));
        Result<SayReply> r = co_await client.say(c, request);
        good += r.has_value() && r->text() == "hello " + std::to_string(i);
        if (!r) ADD_FAILURE() << r.error().to_string();
      });
    co_await scope.join();
  });
  EXPECT_EQ(good, 500);
}

TEST_P(RestCalls, EveryCodeTravelsWithMessageAndDetails) {
  run([&](Context& ctx) -> Task<void> {
    for (int code = 1; code <= 16; ++code) {
      SayRequest request;
      request.set_fail_code(code);
      Result<SayReply> r = co_await client.say(ctx, request);
      EXPECT_EQ(r.error().code(), code_of(static_cast<uint64_t>(code)));
      EXPECT_EQ(r.error().message(), "as you like");
      EXPECT_EQ(r.error().details().size(), 1u);
    }
  });
}

TEST_P(RestCalls, MetadataTravelsBothWays) {
  run([&](Context& ctx) -> Task<void> {
    CallOptions options;
    Reply reply;
    options.reply = &reply;
    EXPECT_TRUE(options.metadata.set_by_user("x-echo", "a value").is_ok());
    SayRequest request;
    Result<SayReply> r = co_await client.say(ctx, request, options);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    EXPECT_EQ(reply.head.find("x-echo-head"), "a value");
  });
}

TEST_P(RestCalls, AStreamOfReplies) {
  run([&](Context& ctx) -> Task<void> {
    for (int64_t fail_at : {0, 700}) {
      CountRequest request;
      request.set_to(1000);
      request.set_padding(100);
      request.set_fail_at(fail_at);
      int64_t seen = 0;
      Status s = co_await client.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
        for (;;) {
          auto n = co_await in.next(c);
          if (!n) co_return n.error();
          if (!*n) co_return Status::ok();
          EXPECT_EQ((*n)->value(), seen);
          ++seen;
        }
      });
      EXPECT_EQ(s.to_string(), fail_at ? "ABORTED: told to" : "OK");
      EXPECT_EQ(seen, fail_at ? fail_at : 1000);
    }
  });
}

TEST_P(RestCalls, LeavingAStreamEarlyEndsItsHandler) {
  run([&](Context& ctx) -> Task<void> {
    CountRequest request;
    request.set_to(1'000'000'000);
    request.set_padding(1000);
    Status s = co_await client.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      auto n = co_await in.next(c);
      co_return n.error();
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    while (pair.service->running > 0) (void)co_await sleep(ctx, 1ms);
    EXPECT_EQ(pair.service->cancelled, 1);
  });
}

TEST_P(RestCalls, ADeadlineAndACancelEndTheHandler) {
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_wait_ms(3'600'000);
    CallOptions options(50ms);
    Result<SayReply> r = co_await client.say(ctx, request, options);
    EXPECT_EQ(r.error().code(), Code::kDeadlineExceeded);
    while (pair.service->cancelled < 1) (void)co_await sleep(ctx, 1ms);

    Context child(ctx);
    Scope scope(child);
    scope.spawn([&](Context& c) -> Task<void> { r = co_await client.say(c, request); });
    while (pair.service->running == 0) (void)co_await sleep(ctx, 1ms);
    child.cancel(Status::cancelled("enough"));
    co_await scope.join();
    EXPECT_EQ(r.error().to_string(), "CANCELLED: enough");
    while (pair.service->cancelled < 2) (void)co_await sleep(ctx, 1ms);
  });
}

TEST_P(RestCalls, AStreamOfRequestsHasNoForm) {
  run([&](Context& ctx) -> Task<void> {
    Result<Sum> sum = co_await client.add(ctx, [](Context&, Writer<Number>&) { return Task<Status>::ready(Status()); });
    EXPECT_EQ(sum.error().code(), Code::kUnimplemented);
    EXPECT_NE(sum.error().message().find("/talk.v1.Talk/Add takes a stream of messages"), std::string::npos)
        << sum.error().message();
  });
}

TEST_P(RestCalls, AServerThatStartsAgainIsFoundAgain) {
  const std::string address = pair.server.addresses()[0];
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    EXPECT_TRUE(pair.server.stop());
    r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kUnavailable);
    EXPECT_EQ(r.error().message(), "talk (" + address + ") cannot be reached: Connection refused");
    Server again(Pair::quiet());
    again.listen(address).serve(pair.service);
    EXPECT_TRUE(again.start().is_ok());
    do {  // the pause after the failure may not be over
      (void)co_await sleep(ctx, 1ms);
      r = co_await client.say(ctx, request);
    } while (!r && r.error().code() == Code::kUnavailable);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
  });
}

TEST(Peers, GrpcOverHttp11IsRefusedWithTheMend) {
  Pair pair;
  TalkClient client(peer_of(pair, Protocol::kGrpc, http::Version::kHttp11));
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kFailedPrecondition);
    EXPECT_TRUE(r.error().message().starts_with("talk: gRPC goes over HTTP/2 only")) << r.error().message();
  });
}

TEST(Peers, APlainRequestGoesToAPeerOfEitherKindThroughItsFilters) {
  Pair pair;
  for (Protocol protocol : {Protocol::kGrpc, Protocol::kRest}) {
    std::shared_ptr<Client> peer = peer_of(pair, protocol);
    std::string seen;
    peer->use(filter([&](Context& ctx, Call& c, Service& next) {
      seen += c.method->name;
      return next.call(ctx, c);
    }));
    run([&](Context& ctx) -> Task<void> {
      plain::Request request("GET", "/readyz");
      Result<plain::Answer> a = co_await plain::fetch(*peer, ctx, request);
      EXPECT_TRUE(a) << a.error().to_string();
      if (!a) co_return;
      EXPECT_EQ(a->status, 200);
      EXPECT_EQ(a->body.view(), "ok\n");
      plain::Request say("POST", "/v1/say", Bytes::literal(R"({"name":"Ada"})"));
      say.fields.add("content-type", "application/json");
      a = co_await plain::fetch(*peer, ctx, say);
      EXPECT_TRUE(a && a->body.view().find("hello Ada") != std::string_view::npos);
    });
    EXPECT_EQ(seen, "http:GEThttp:POST");
  }
}

TEST(Routes, AHandlerFindsThePathsVariables) {
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /hooks/{name}/files/{file=**}", [](Context& ctx, Call& c) -> Task<Outcome> {
    std::string text = "name=" + std::string(c.metadata.find(":path.name").value_or("none")) +
                       " file=" + std::string(c.metadata.find(":path.file").value_or("none"));
    Message message(Bytes::copy(text), Format::kOpaque);
    co_return co_await c.out->write(ctx, std::move(message));
  });
  ASSERT_TRUE(server.start().is_ok());
  Client peer(Client::Settings{.name = "hooks", .address = server.addresses()[0], .protocol = Protocol::kRest});
  run([&](Context& ctx) -> Task<void> {
    plain::Request request("GET", "/hooks/a%20b%2Fc/files/x/y%20z?name=other");
    Result<plain::Answer> a = co_await plain::fetch(peer, ctx, request);
    EXPECT_TRUE(a && a->body.view() == "name=a b/c file=x/y z") << (a ? a->body.to_string() : a.error().to_string());
    request.path = "/hooks/%zz/files/x";
    a = co_await plain::fetch(peer, ctx, request);
    EXPECT_TRUE(a && a->status == 400);
  });
}

}  // namespace
}  // namespace duplex
