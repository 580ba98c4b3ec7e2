// Calls over TLS, end to end: our server with our client.
#include <gtest/gtest.h>

#include <filesystem>

#include "duplex/app/configured.h"
#include "duplex/runtime/run.h"
#include "runtime/tls_testing.h"
#include "talk_service.h"

namespace duplex {
namespace {

using talk::v1::Pair;

class TlsCalls : public testing::Test {
 protected:
  TlsCalls() : folder_(make_folder()), root_(folder_) {}
  ~TlsCalls() override { std::filesystem::remove_all(folder_); }
  static std::string make_folder() {
    std::string name = testing::TempDir() + "duplex-tls-XXXXXX";
    return ::mkdtemp(name.data());
  }
  Server::Settings server_settings() {
    Server::Settings s = Pair::quiet();
    s.tls.emplace().certificates.push_back(root_.issue("talk", "IP:127.0.0.1"));
    return s;
  }
  Client::Settings client_settings(const Server& server) {
    Client::Settings s{.name = "talk", .address = server.addresses()[0]};
    s.tls.emplace().ca = root_.ca();
    return s;
  }

  std::string folder_;
  TestAuthority root_;
};

TEST_F(TlsCalls, EveryKindOfCallGoesOverIt) {
  Server server(server_settings());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  ASSERT_TRUE(server.start().is_ok());
  talk::v1::TalkClient client(std::make_shared<Client>(client_settings(server)));
  run([&](Context& ctx) -> Task<void> {
    talk::v1::SayRequest request;
    request.set_name("you");
    request.set_padding(std::string(1'000'000, 'p'));
    Result<talk::v1::SayReply> reply = co_await client.say(ctx, request);
    EXPECT_TRUE(reply) << reply.error().to_string();
    if (reply) {
      EXPECT_EQ(reply->text(), "hello you");
      EXPECT_EQ(reply->padding().size(), 1'000'000u);
    }
    talk::v1::CountRequest count;
    count.set_to(2000);
    count.set_padding(1000);
    int64_t seen = 0;
    auto read = [&](Context& child, Reader<talk::v1::Number>& in) -> Task<Status> {
      for (;;) {
        auto number = co_await in.next(child);
        if (!number) co_return number.error();
        if (!*number) co_return Status();
        seen += (*number)->value() == seen;
      }
    };
    Status counted = co_await client.count(ctx, count, read);
    EXPECT_TRUE(counted.is_ok()) << counted.to_string();
    EXPECT_EQ(seen, 2000);
  });
}

TEST_F(TlsCalls, RestOverHttp11GoesOverIt) {
  Server server(server_settings());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  ASSERT_TRUE(server.start().is_ok());
  Client::Settings settings = client_settings(server);
  settings.protocol = Protocol::kRest;
  talk::v1::TalkClient client(std::make_shared<Client>(settings));
  run([&](Context& ctx) -> Task<void> {
    for (int i = 0; i < 3; ++i) {  // on one connection, if it is kept
      talk::v1::SayRequest request;
      request.set_name("rest");
      request.set_padding(std::string(300'000, 'p'));
      Result<talk::v1::SayReply> reply = co_await client.say(ctx, request);
      EXPECT_TRUE(reply) << reply.error().to_string();
      if (reply) {
        EXPECT_EQ(reply->padding().size(), 300'000u);
      }
    }
  });
}

TEST_F(TlsCalls, AHandlerSeesWhoCallsAndACallerWithoutACertificateIsRefused) {
  Server::Settings settings = server_settings();
  settings.tls->client_ca = root_.ca();
  settings.tls->client_certificates = ClientCertificates::kRequired;
  std::string seen;
  Server server(settings);
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    if (auto* who = ctx.find<PeerCertificate>()) seen = who->subject + " " + who->uri.at(0);
    co_return co_await next.call(ctx, c);
  }));
  ASSERT_TRUE(server.start().is_ok());
  Client::Settings known = client_settings(server);
  known.tls->certificate = root_.issue("orders", "URI:spiffe://shop/orders");
  talk::v1::TalkClient orders(std::make_shared<Client>(known));
  talk::v1::TalkClient nobody(std::make_shared<Client>(client_settings(server)));
  run([&](Context& ctx) -> Task<void> {
    talk::v1::SayRequest request;
    Result<talk::v1::SayReply> reply = co_await orders.say(ctx, request);
    EXPECT_TRUE(reply) << reply.error().to_string();
    Result<talk::v1::SayReply> refused = co_await nobody.say(ctx, request);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  });
  EXPECT_EQ(seen, "CN=orders spiffe://shop/orders");
}

TEST_F(TlsCalls, AServerThatIsNotTrustedIsNamedWithTheReason) {
  Server server(server_settings());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  ASSERT_TRUE(server.start().is_ok());
  std::filesystem::create_directory(folder_ + "/other");
  TestAuthority other(folder_ + "/other");
  Client::Settings settings = client_settings(server);
  settings.tls->ca = other.ca();
  talk::v1::TalkClient client(std::make_shared<Client>(settings));
  run([&](Context& ctx) -> Task<void> {
    talk::v1::SayRequest request;
    Result<talk::v1::SayReply> reply = co_await client.say(ctx, request);
    EXPECT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), Code::kUnavailable);
    EXPECT_NE(reply.error().message().find("certificate is not trusted"), std::string::npos)
        << reply.error().to_string();
  });
}

TEST_F(TlsCalls, NewCertificatesAreTakenWhileCallsAreUnderWay) {
  Server server(server_settings());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  ASSERT_TRUE(server.start().is_ok());
  auto tls = TlsClient::make({.ca = root_.ca(), .certificate = {}, .server_name = "127.0.0.1"});
  ASSERT_TRUE(tls);
  run([&](Context& ctx) -> Task<void> {
    auto certificate = [&](Context& c) -> Task<std::string> {
      Address where = *Address::parse(server.addresses()[0]);
      Result<Fd> fd = co_await connect_to(c, where);
      if (!fd) co_return "";
      auto session = (*tls)->connect("127.0.0.1", std::vector<std::string>(1, "h2"));
      Buffer early;
      Status s = co_await tls_handshake(c, fd->get(), *session, early);
      if (!s.is_ok()) co_return s.to_string();
      co_return session->peer()->sha256;
    };
    const std::string first = co_await certificate(ctx);
    EXPECT_EQ(first.size(), 64u) << first;

    talk::v1::TalkClient client(std::make_shared<Client>(client_settings(server)));
    Context own(ctx, std::chrono::seconds(60));
    Scope scope(own);
    bool over = false;
    Status waited;
    scope.spawn([&](Context& c) -> Task<void> {  // over the whole change
      auto chat = [&](Context& child, Reader<talk::v1::Number>& in, Writer<talk::v1::Number>& out) -> Task<Status> {
        talk::v1::Number number;
        number.set_value(1);
        while (!over) {
          Status s = co_await out.write(child, number);
          if (!s.is_ok()) co_return s;
          auto echoed = co_await in.next(child);
          if (!echoed) co_return echoed.error();
          s = co_await sleep(child, std::chrono::milliseconds(5));
          if (!s.is_ok()) co_return s;
        }
        co_return Status();
      };
      waited = co_await client.chat(c, chat);
    });
    root_.issue("talk", "IP:127.0.0.1");  // the same files
    std::string now = first;
    Status s;
    while (s.is_ok() && now == first) {
      s = co_await sleep(own, std::chrono::milliseconds(20));
      now = co_await certificate(own);
    }
    EXPECT_EQ(now.size(), 64u) << now;
    over = true;
    co_await scope.join();
    EXPECT_TRUE(waited.is_ok()) << waited.to_string();
  });
}

TEST_F(TlsCalls, ADuplexYamlSaysIt) {
  TlsCertificate files = root_.issue("talk", "IP:127.0.0.1,DNS:talk.test");
  auto conf = parse_configuration(
      "server:\n  listen: [\"127.0.0.1:0\"]\n  tls:\n    certificates:\n      - certificate: " + files.certificate +
          "\n        key: " + files.key +
          "\nlog: {file: /dev/null}\n"
          "peers:\n  talk: {address: \"127.0.0.1:1\", tls: {ca: " +
          root_.ca() + ", server_name: talk.test}}\n",
      "duplex.yaml");
  ASSERT_TRUE(conf) << conf.error().message();
  Server server(duplex::server_settings(*conf));
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  ASSERT_TRUE(server.start().is_ok());
  Result<Client::Settings> peer = peer_settings(*conf, "talk");
  ASSERT_TRUE(peer) << peer.error().message();
  peer->address = server.addresses()[0];
  talk::v1::TalkClient client(std::make_shared<Client>(*peer));
  run([&](Context& ctx) -> Task<void> {
    talk::v1::SayRequest request;
    Result<talk::v1::SayReply> reply = co_await client.say(ctx, request);
    EXPECT_TRUE(reply) << reply.error().to_string();
  });
}

TEST_F(TlsCalls, WhatCannotBeIsSaidWhenItIsLoaded) {
  auto missing =
      parse_configuration("peers:\n  pay: {address: \"pay:443\", tls: {ca: /nothing/ca.pem}}\n", "duplex.yaml");
  ASSERT_TRUE(missing);
  Status s = check(*missing);
  EXPECT_EQ(s.code(), Code::kInvalidArgument);
  EXPECT_NE(s.message().find("peers.pay.tls: /nothing/ca.pem"), std::string::npos) << s.message();
  auto nameless = parse_configuration("peers:\n  pay: {address: [\"a:443\", \"b:443\"], tls: {}}\n", "duplex.yaml");
  ASSERT_TRUE(nameless) << nameless.error().message();
  s = check(*nameless);
  EXPECT_NE(s.message().find("server_name"), std::string::npos) << s.message();
  Server::Settings settings = Pair::quiet();
  settings.tls.emplace();
  Server server(settings);
  server.listen("127.0.0.1:0");
  s = server.start();
  EXPECT_NE(s.message().find("server.tls"), std::string::npos) << s.message();
}

}  // namespace
}  // namespace duplex
