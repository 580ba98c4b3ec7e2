#include "duplex/app/configured.h"

#include <gtest/gtest.h>

namespace duplex {
namespace {

TEST(Configured, SettingsComeFromTheConfiguration) {
  auto conf = parse_configuration(R"(
service: {name: orders}
server: {max_message: 1MiB, grace: 3s, loops: 2}
log: {level: warn, access: false}
peers:
  payments: {address: "payments.internal:8080", timeout: 2s, connect_timeout: 500ms}
)",
                                  "test.yaml");
  ASSERT_TRUE(conf.has_value()) << conf.error().to_string();
  Server::Settings s = server_settings(*conf);
  EXPECT_EQ(s.service_name, "orders");
  EXPECT_EQ(s.max_message, 1u << 20);
  EXPECT_EQ(s.grace, std::chrono::seconds(3));
  EXPECT_EQ(s.loops, 2u);
  EXPECT_EQ(s.log_level, LogLevel::kWarn);
  EXPECT_FALSE(s.access_log);
  auto peer = peer_settings(*conf, "payments");
  ASSERT_TRUE(peer.has_value());
  EXPECT_EQ(peer->address, "payments.internal:8080");
  EXPECT_EQ(peer->policy.timeout, std::chrono::seconds(2));
  EXPECT_EQ(peer->pool.connect_timeout, std::chrono::milliseconds(500));
}

TEST(Configured, APeerSpeaksWhatItIsSaidTo) {
  auto conf = parse_configuration(R"(
peers:
  a: {address: "a:1"}
  b: {address: "b:1", protocol: rest}
  c: {address: "c:1", protocol: rest, http_version: 2}
  d: {address: "d:1", protocol: grpc, http_version: 1.1}
)",
                                  "test.yaml");
  ASSERT_TRUE(conf.has_value()) << conf.error().to_string();
  EXPECT_EQ(peer_settings(*conf, "a")->protocol, Protocol::kGrpc);
  EXPECT_EQ(peer_settings(*conf, "b")->protocol, Protocol::kRest);
  EXPECT_EQ(peer_settings(*conf, "b")->http_version, std::nullopt);
  EXPECT_EQ(peer_settings(*conf, "c")->http_version, http::Version::kHttp2);
  Status d = peer_settings(*conf, "d").error();
  EXPECT_EQ(d.code(), Code::kInvalidArgument);
  EXPECT_TRUE(d.message().starts_with("test.yaml:6:6: peers.d: gRPC goes over HTTP/2 only")) << d.message();
  Status soap = parse_configuration("peers: {a: {address: \"a:1\", protocol: soap}}", "test.yaml").error();
  EXPECT_NE(soap.message().find("known here: grpc, rest"), std::string::npos) << soap.message();
}

TEST(Configured, APeersBalanceIsTheClients) {
  auto conf = parse_configuration(R"(
peers:
  a:
    address: ["10.0.0.1:80;weight=3", "a.internal:80", "file:endpoints.yaml"]
    balance:
      policy: ring_hash
      hash: metadata:x-user
      eject: {consecutive: 7, for: 3s, at_most: 30%}
      health: {check: /healthz, every: 2s}
      panic: 0.4
      slow_start: 1m
  b:
    address:
      - {address: "10.0.0.1:80, 10.0.0.2:80", weight: 90}
      - {address: "dns+srv:_grpc._tcp.canary.internal", weight: 10}
  c: {address: "c:1", balance: {policy: ring_hash}}
  d: {address: "d:1", protocol: rest, balance: {health: on}}
)",
                                  "test.yaml");
  ASSERT_TRUE(conf.has_value()) << conf.error().to_string();
  auto a = peer_settings(*conf, "a");
  ASSERT_TRUE(a.has_value()) << a.error().to_string();
  EXPECT_EQ(a->address, "10.0.0.1:80;weight=3, a.internal:80, file:endpoints.yaml");
  EXPECT_EQ(a->balance.policy, client::BalancePolicy::kRingHash);
  EXPECT_EQ(a->balance.hash, "metadata:x-user");
  EXPECT_EQ(a->balance.eject->consecutive, 7);
  EXPECT_EQ(a->balance.eject->lasts, std::chrono::seconds(3));
  EXPECT_EQ(a->balance.health->check, "/healthz");
  EXPECT_EQ(a->balance.panic, 0.4);
  EXPECT_EQ(a->balance.slow_start, std::chrono::minutes(1));
  EXPECT_EQ(peer_settings(*conf, "b")->address,
            "(10.0.0.1:80, 10.0.0.2:80);weight=90, (dns+srv:_grpc._tcp.canary.internal);weight=10");
  EXPECT_EQ(peer_settings(*conf, "c").error().message(),
            "test.yaml:16:6: peers.c: balance: ring_hash needs a key: write hash: metadata:x-user");
  EXPECT_EQ(peer_settings(*conf, "d").error().message(),
            "test.yaml:17:6: peers.d: grpc.health.v1 is not asked over REST; write health: {check: /readyz}");
  Status wrong =
      parse_configuration("peers: {a: {address: \"a:1\", balance: {hash: x-user, health: {check: tcp}}}}", "test.yaml")
          .error();
  EXPECT_NE(wrong.message().find("\"x-user\" is no key: write metadata:x-user"), std::string::npos) << wrong.message();
  EXPECT_NE(wrong.message().find("\"tcp\" is no health check: write grpc"), std::string::npos) << wrong.message();
}

TEST(Configured, APeerThatIsNotThereIsNamedBesideThoseThatAre) {
  auto conf = parse_configuration("peers: {payments: {address: \"a:1\"}}", "test.yaml");
  ASSERT_TRUE(conf.has_value());
  Status s = peer_settings(*conf, "payment").error();
  EXPECT_EQ(s.code(), Code::kNotFound);
  EXPECT_NE(s.message().find("payments"), std::string::npos);
}

}  // namespace
}  // namespace duplex
