// gRPC's other forms, end to end: packed by gzip, and gRPC-Web over HTTP/1.1 as a browser sends it.
#include <gtest/gtest.h>

#include "duplex/runtime/run.h"
#include "protocols/grpc_form.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using talk::v1::Pair;

std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

std::string say_frame(const grpc::Form& form, const std::string& name) {
  talk::v1::SayRequest request;
  request.set_name(name);
  Buffer frame;
  grpc::append_frame(frame, form, 0, request.SerializeAsString());
  return frame.view().empty() ? "" : std::string(frame.view());
}

TEST(GrpcForms, PackedRequestsAreReadAndAnsweredPacked) {
  Pair pair;
  Client::Settings settings{.name = "talk", .address = pair.server.addresses()[0]};
  settings.gzip = true;
  talk::v1::TalkClient client(std::make_shared<Client>(settings));
  run([&](Context& ctx) -> Task<void> {
    talk::v1::SayRequest request;
    request.set_name("packed");
    request.set_padding(std::string(2'000'000, 'p'));
    Result<talk::v1::SayReply> reply = co_await client.say(ctx, request);
    EXPECT_TRUE(reply) << reply.error().to_string();
    if (reply) {
      EXPECT_EQ(reply->padding(), request.padding());
    }
    int64_t sum = 0;
    auto numbers = [&](Context& child, Reader<talk::v1::Number>& in, Writer<talk::v1::Number>& out) -> Task<Status> {
      talk::v1::Number number;
      for (int i = 1; i <= 20; ++i) {
        number.set_value(i);
        number.set_padding(std::string(static_cast<size_t>(i) * 50, 'n'));
        Status s = co_await out.write(child, number);
        if (!s.is_ok()) co_return s;
        auto echoed = co_await in.next(child);
        if (!echoed) co_return echoed.error();
        if (*echoed) sum += (*echoed)->value();
      }
      co_return Status();
    };
    Status s = co_await client.chat(ctx, numbers);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    EXPECT_EQ(sum, 210);
  });
}

TEST(GrpcForms, APackedBombIsResourceExhausted) {
  Server::Settings settings = Pair::quiet();
  settings.max_message = 100'000;
  Pair pair(settings);
  Client::Settings packed{.name = "talk", .address = pair.server.addresses()[0]};
  packed.gzip = true;
  talk::v1::TalkClient client(std::make_shared<Client>(packed));
  run([&](Context& ctx) -> Task<void> {
    talk::v1::SayRequest request;
    request.set_padding(std::string(3'000'000, '\0'));  // some three thousand octets on the wire
    Result<talk::v1::SayReply> reply = co_await client.say(ctx, request);
    EXPECT_EQ(reply.error().code(), Code::kResourceExhausted) << reply.error().to_string();
  });
}

TEST(GrpcForms, WebOverHttp11HasItsTrailersInTheBody) {
  Pair pair;
  Peer1 peer(pair.server.addresses()[0]);
  const grpc::Form binary{.web = true};
  std::string answer =
      peer.ask("POST", "/talk.v1.Talk/Say", "content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n",
               say_frame(binary, "web"));
  EXPECT_TRUE(has(answer, "HTTP/1.1 200")) << answer;
  EXPECT_TRUE(has(answer, "content-type: application/grpc-web+proto")) << answer;
  EXPECT_TRUE(has(body_of(answer), "hello web"));
  EXPECT_TRUE(has(body_of(answer), "grpc-status: 0\r\n"));

  talk::v1::SayRequest wrong;
  wrong.set_fail_code(5);
  Buffer frame;
  grpc::append_frame(frame, binary, 0, wrong.SerializeAsString());
  answer = peer.ask("POST", "/talk.v1.Talk/Say", "content-type: application/grpc-web\r\n", std::string(frame.view()));
  EXPECT_TRUE(has(answer, "HTTP/1.1 200")) << answer;
  EXPECT_TRUE(has(body_of(answer), "grpc-status: 5\r\n"));
  EXPECT_TRUE(has(body_of(answer), "grpc-message: as you like\r\n"));

  answer = peer.ask("POST", "/talk.v1.Talk/Nothing", "content-type: application/grpc-web\r\n", say_frame(binary, "x"));
  EXPECT_TRUE(has(body_of(answer), "grpc-status: 12\r\n")) << answer;
}

TEST(GrpcForms, WebAsTextIsBase64BothWays) {
  Pair pair;
  Peer1 peer(pair.server.addresses()[0]);
  const grpc::Form text{.web = true, .text = true};
  std::string answer =
      peer.ask("POST", "/talk.v1.Talk/Say", "content-type: application/grpc-web-text\r\n", say_frame(text, "text"));
  EXPECT_TRUE(has(answer, "content-type: application/grpc-web-text+proto")) << answer;
  grpc::Unarmour unarmour;
  Buffer plain;
  ASSERT_TRUE(unarmour.decode(body_of(answer), plain)) << answer;
  EXPECT_TRUE(has(plain.view(), "hello text"));
  EXPECT_TRUE(has(plain.view(), "grpc-status: 0\r\n"));
}

}  // namespace
}  // namespace duplex
