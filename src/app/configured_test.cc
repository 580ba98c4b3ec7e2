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
  EXPECT_TRUE(d.message().starts_with("peers.d: gRPC goes over HTTP/2 only")) << d.message();
  Status soap = parse_configuration("peers: {a: {address: \"a:1\", protocol: soap}}", "test.yaml").error();
  EXPECT_NE(soap.message().find("known here: grpc, rest"), std::string::npos) << soap.message();
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
