// TLS without a network: two sessions that hand each other their octets.
#include "duplex/runtime/tls.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/tls_testing.h"

namespace duplex {
namespace {

class Tls : public testing::Test {
 protected:
  Tls() : folder_(make_folder()), root_(folder_) {}
  ~Tls() override { std::filesystem::remove_all(folder_); }

  static std::string make_folder() {
    std::string name = testing::TempDir() + "duplex-tls-XXXXXX";
    return ::mkdtemp(name.data());
  }
  TlsServerSettings server_settings() {
    TlsServerSettings s;
    s.certificates.push_back(root_.issue("a", "DNS:a.test,IP:127.0.0.1"));
    return s;
  }
  TlsClientSettings client_settings() {
    TlsClientSettings s;
    s.ca = root_.ca();
    return s;
  }
  static std::shared_ptr<TlsServer> server(TlsServerSettings s) {
    auto made = TlsServer::make(std::move(s));
    EXPECT_TRUE(made) << (made ? "" : made.error().to_string());
    return *made;
  }
  static std::shared_ptr<TlsClient> client(TlsClientSettings s) {
    auto made = TlsClient::make(std::move(s));
    EXPECT_TRUE(made) << (made ? "" : made.error().to_string());
    return *made;
  }

  std::string folder_;
  TestAuthority root_;
};

// Two sessions joined, `step` octets at a time.
struct Pair {
  std::unique_ptr<TlsSession> client, server;
  Buffer at_client, at_server;
  Status client_status, server_status;

  void turn(size_t step = 100'000) {
    if (!client->open()) client_status = client->receive({}, at_client);
    while (!client->out().empty() || !server->out().empty()) {
      pass(*client, *server, at_server, server_status, step);
      pass(*server, *client, at_client, client_status, step);
    }
  }
  bool open() const { return client->open() && server->open() && client_status.is_ok() && server_status.is_ok(); }

 private:
  static void pass(TlsSession& from, TlsSession& to, Buffer& at, Status& status, size_t step) {
    std::string octets(from.out().view());
    from.out().clear();
    for (size_t i = 0; i < octets.size() && status.is_ok(); i += step)
      status = to.receive(std::string_view(octets).substr(i, step), at);
  }
};

Pair joined(const TlsClient& client, const TlsServer& server, const std::string& host = "a.test", size_t step = 100'000,
            std::vector<std::string> protocols = {"h2", "http/1.1"}) {
  Pair p;
  p.client = client.connect(host, std::move(protocols));
  p.server = server.accept();
  p.turn(step);
  return p;
}

TEST_F(Tls, WhatOneSideSendsTheOtherReceives) {
  auto s = server(server_settings());
  auto c = client(client_settings());
  for (size_t step : {size_t{1}, size_t{7}, size_t{100'000}}) {
    Pair p = joined(*c, *s, "a.test", step);
    ASSERT_TRUE(p.open()) << p.client_status.to_string() << p.server_status.to_string();
    EXPECT_EQ(p.client->version(), "TLSv1.3");
    EXPECT_EQ(p.client->protocol(), "h2");
    EXPECT_EQ(p.server->protocol(), "h2");
    const std::string large(100'000, 'x');
    EXPECT_TRUE(p.client->send("to the server").is_ok());
    EXPECT_TRUE(p.server->send(large).is_ok());
    p.turn(step);
    EXPECT_EQ(p.at_server.view(), "to the server");
    EXPECT_EQ(p.at_client.view(), large);
    p.client->close();
    p.turn(step);
    EXPECT_TRUE(p.server->closed());
  }
}

TEST_F(Tls, TheNameOfTheCertificateMustBeTheHosts) {
  auto s = server(server_settings());
  auto c = client(client_settings());
  EXPECT_TRUE(joined(*c, *s, "127.0.0.1").open());
  for (const char* other : {"b.test", "127.0.0.2", "a.test.evil", "::1"}) {
    Pair p = joined(*c, *s, other);
    EXPECT_FALSE(p.client->open()) << other;
    EXPECT_NE(p.client_status.message().find("not trusted"), std::string::npos) << p.client_status.to_string();
  }
  TlsClientSettings named = client_settings();
  named.server_name = "a.test";
  EXPECT_TRUE(joined(*client(named), *s, "10.0.0.7").open());
}

TEST_F(Tls, ACertificateOfAnUnknownRootIsRefused) {
  std::filesystem::create_directory(folder_ + "/other");
  TestAuthority other(folder_ + "/other");
  TlsServerSettings s;
  s.certificates.push_back(other.issue("a", "DNS:a.test"));
  Pair p = joined(*client(client_settings()), *server(s));
  EXPECT_FALSE(p.client->open());
  EXPECT_FALSE(p.server->open());
  EXPECT_FALSE(p.server_status.is_ok());  // the client's alert
}

TEST_F(Tls, TheCertificateIsChosenByTheNameAskedFor) {
  TlsServerSettings settings = server_settings();
  settings.certificates.push_back(root_.issue("b", "DNS:*.b.test"));
  auto s = server(settings);
  auto c = client(client_settings());
  Pair b = joined(*c, *s, "x.b.test");
  ASSERT_TRUE(b.open()) << b.client_status.to_string();
  EXPECT_EQ(b.client->peer()->subject, "CN=b");
  Pair a = joined(*c, *s, "a.test");
  ASSERT_TRUE(a.open());
  EXPECT_EQ(a.client->peer()->subject, "CN=a");
}

TEST_F(Tls, AClientsCertificateIsAskedForCheckedAndTold) {
  TlsServerSettings settings = server_settings();
  settings.client_ca = root_.ca();
  settings.client_certificates = ClientCertificates::kRequired;
  auto strict = server(settings);
  settings.client_certificates = ClientCertificates::kRequested;
  auto lenient = server(settings);

  auto nobody = client(client_settings());
  Pair refused = joined(*nobody, *strict);
  EXPECT_FALSE(refused.server->open());
  Pair let_in = joined(*nobody, *lenient);
  EXPECT_TRUE(let_in.open());
  EXPECT_EQ(let_in.server->peer(), nullptr);

  TlsClientSettings known = client_settings();
  known.certificate = root_.issue("orders", "URI:spiffe://shop/orders,DNS:orders.test");
  Pair p = joined(*client(known), *strict);
  ASSERT_TRUE(p.open()) << p.server_status.to_string();
  ASSERT_TRUE(p.server->peer());
  EXPECT_EQ(p.server->peer()->subject, "CN=orders");
  EXPECT_EQ(p.server->peer()->uri, std::vector<std::string>{"spiffe://shop/orders"});
  EXPECT_EQ(p.server->peer()->dns, std::vector<std::string>{"orders.test"});
  EXPECT_EQ(p.server->peer()->sha256.size(), 64u);

  std::filesystem::create_directory(folder_ + "/other");
  TestAuthority other(folder_ + "/other");
  known.certificate = other.issue("orders", "DNS:orders.test");
  EXPECT_FALSE(joined(*client(known), *lenient).server->open());
}

TEST_F(Tls, AProtocolThatNobodySpeaksIsRefused) {
  auto s = server(server_settings());
  auto c = client(client_settings());
  EXPECT_FALSE(joined(*c, *s, "a.test", 100'000, {"smtp"}).client->open());
  Pair p = joined(*c, *s, "a.test", 100'000, {"http/1.1"});
  ASSERT_TRUE(p.open());
  EXPECT_EQ(p.server->protocol(), "http/1.1");
}

TEST_F(Tls, ASecondConnectionResumesTheFirstEvenAfterAReload) {
  auto s = server(server_settings());
  auto c = client(client_settings());
  EXPECT_FALSE(joined(*c, *s).client->resumed());
  Pair again = joined(*c, *s);
  ASSERT_TRUE(again.open());
  EXPECT_TRUE(again.client->resumed());
  ASSERT_TRUE(s->reload().is_ok());
  Pair after = joined(*c, *s);
  ASSERT_TRUE(after.open());
  EXPECT_TRUE(after.client->resumed());
}

TEST_F(Tls, AReloadTakesTheNewCertificateAndAWrongOneChangesNothing) {
  TlsServerSettings settings = server_settings();
  auto s = server(settings);
  const std::string first = joined(*client(client_settings()), *s).client->peer()->sha256;
  root_.issue("a", "DNS:a.test");  // the same files
  ASSERT_TRUE(s->reload().is_ok());
  Pair p = joined(*client(client_settings()), *s);
  ASSERT_TRUE(p.open());
  const std::string second = p.client->peer()->sha256;
  EXPECT_NE(second, first);
  std::ofstream(settings.certificates[0].key) << "no key\n";
  Status broken = s->reload();
  EXPECT_EQ(broken.code(), Code::kInvalidArgument);
  EXPECT_NE(broken.message().find("a.key"), std::string::npos) << broken.to_string();
  EXPECT_EQ(joined(*client(client_settings()), *s).client->peer()->sha256, second);
}

TEST_F(Tls, MistakesNameTheFile) {
  TlsServerSettings none;
  EXPECT_FALSE(TlsServer::make(none));
  TlsServerSettings missing;
  missing.certificates.push_back({folder_ + "/nothing.pem", folder_ + "/nothing.key"});
  auto made = TlsServer::make(missing);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("nothing.pem"), std::string::npos);
  TlsServerSettings crossed = server_settings();
  crossed.certificates[0].key = root_.issue("other", "DNS:o.test").key;
  auto wrong = TlsServer::make(crossed);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("other.key"), std::string::npos) << wrong.error().to_string();
}

TEST_F(Tls, TheLeastVersionIsKept) {
  TlsServerSettings settings = server_settings();
  settings.least = TlsVersion::k13;
  auto s = server(settings);
  EXPECT_TRUE(joined(*client(client_settings()), *s).open());
}

TEST_F(Tls, NoiseIsAnErrorAndNoCrash) {
  auto s = server(server_settings());
  auto session = s->accept();
  Buffer plain;
  EXPECT_FALSE(session->receive("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", plain).is_ok());
  EXPECT_TRUE(plain.empty());
}

}  // namespace
}  // namespace duplex
