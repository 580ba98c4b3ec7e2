// What the address of a peer may say.
#include "duplex/client/origin.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace duplex::client {
namespace {

using Kind = Origin::Kind;

std::string error_of(std::string_view text) {
  Result<Origins> origins = parse_origins(text);
  return origins ? "no error" : origins.error().message();
}

TEST(Origin, EveryFormIsRead) {
  Result<Origins> all = parse_origins(
      "10.0.0.7:8080, [::1]:9;weight=2.5 ,unix:/run/a;b.sock, payments.internal:80;weight=3, "
      "dns+srv:_grpc._tcp.payments.internal, file:endpoints.yaml;weight=7");
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->list.size(), 6u);
  EXPECT_EQ(all->list[0].kind, Kind::kEndpoint);
  EXPECT_EQ(all->list[0].weight, 0);
  EXPECT_EQ(all->list[1].address.to_string(), "[::1]:9");
  EXPECT_EQ(all->list[1].weight, 2.5);
  EXPECT_EQ(all->list[2].address.to_string(), "unix:/run/a;b.sock");
  EXPECT_EQ(all->list[3].kind, Kind::kName);
  EXPECT_EQ(all->list[3].address.host(), "payments.internal");
  EXPECT_EQ(all->list[3].weight, 3);
  EXPECT_EQ(all->list[4].kind, Kind::kSrv);
  EXPECT_EQ(all->list[4].text, "_grpc._tcp.payments.internal");
  EXPECT_EQ(all->list[5].kind, Kind::kFile);
  EXPECT_EQ(all->list[5].text, "endpoints.yaml");
  EXPECT_EQ(all->groups, std::vector<double>{1});
}

TEST(Origin, ASplitIsGroupsWithWeights) {
  Result<Origins> all = parse_origins("(a.internal:80, 10.0.0.1:80;weight=2);weight=90, (dns+srv:_x._tcp.b);weight=10");
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(all->groups, (std::vector<double>{90, 10}));
  ASSERT_EQ(all->list.size(), 3u);
  EXPECT_EQ(all->list[1].group, 0u);
  EXPECT_EQ(all->list[1].weight, 2);
  EXPECT_EQ(all->list[2].group, 1u);
  EXPECT_EQ(all->list[2].weight, 0);
}

TEST(Origin, AMistakeShowsThePieceAndTheMend) {
  EXPECT_NE(error_of("").find("write host:port"), std::string::npos);
  EXPECT_NE(error_of("a:1,,b:2").find("write host:port"), std::string::npos);
  EXPECT_NE(error_of("payments").find("\"payments\" is not an address"), std::string::npos);
  EXPECT_NE(error_of("a:1;weight=0").find("\"0\" is no weight"), std::string::npos);
  EXPECT_NE(error_of("a:1;weight=x").find("no weight"), std::string::npos);
  EXPECT_NE(error_of("a:1;wieght=3").find("write host:port;weight=3"), std::string::npos);
  EXPECT_NE(error_of("a:1;weight=nan").find("no weight"), std::string::npos);
  EXPECT_NE(error_of("dns+srv:").find("dns+srv:_grpc._tcp.payments.internal"), std::string::npos);
  EXPECT_NE(error_of("dns+srv:_grpc._tcp.x:8080").find("names no service"), std::string::npos);
  EXPECT_NE(error_of("file:").find("file:endpoints.yaml"), std::string::npos);
  for (const char* split : {"(a:1)", "(a:1);weight=1, b:2", "(a:1;weight=1", "a:1)", "((a:1));weight=1", "();weight=1",
                            "(a:1);weight=1x", "(a:1)b;weight=1"})
    EXPECT_NE(error_of(split), "no error") << split;
}

// ---- in a configuration ----

std::string read(std::string_view yaml, std::string* mistakes = nullptr) {
  config::Problems problems;
  std::string into;
  Result<config::Value> value = config::parse_yaml(yaml, "d.yaml");
  EXPECT_TRUE(value);
  read_origins(value->members.at(0).value, "peers.p.address", into, problems);
  if (mistakes) *mistakes = problems.status().message();
  EXPECT_EQ(into.empty(), !problems.empty());
  return into;
}

TEST(OriginConfig, TextsListsAndSplits) {
  EXPECT_EQ(read("address: a:1"), "a:1");
  EXPECT_EQ(read("address: [\"a:1;weight=3\", \"b:2\", \"file:x.yaml\"]"), "a:1;weight=3, b:2, file:x.yaml");
  EXPECT_EQ(read("address:\n  - {address: \"a:1, b:1\", weight: 90}\n  - {address: dns+srv:_x._tcp.c, weight: 10}\n"),
            "(a:1, b:1);weight=90, (dns+srv:_x._tcp.c);weight=10");
}

TEST(OriginConfig, MistakesHaveTheirPlace) {
  std::string mistakes;
  read("address: [\"a:1\", payments]", &mistakes);
  EXPECT_TRUE(mistakes.starts_with("d.yaml:1:18: peers.p.address[1]: \"payments\" is not an address")) << mistakes;
  read("address: []", &mistakes);
  EXPECT_TRUE(mistakes.starts_with("d.yaml:1:10: peers.p.address: the list is empty")) << mistakes;
  read("address: [\"a:1\", {address: \"b:1\", weight: 2}]", &mistakes);
  EXPECT_NE(mistakes.find("in a split each item is a section"), std::string::npos) << mistakes;
  read("address: [{address: \"b:1\"}]", &mistakes);
  EXPECT_NE(mistakes.find("peers.p.address[0].weight: this setting is required"), std::string::npos) << mistakes;
  read("address: [{address: \"b:1\", weight: many}]", &mistakes);
  EXPECT_NE(mistakes.find("\"many\" is no weight"), std::string::npos) << mistakes;
  read("address: [{address: \"(b:1);weight=1\", weight: 3}]", &mistakes);
  EXPECT_NE(mistakes.find("groups cannot stand in one another"), std::string::npos) << mistakes;
  read("address: {address: \"b:1\", weight: 3}", &mistakes);
  EXPECT_NE(mistakes.find("found a section"), std::string::npos) << mistakes;
}

TEST(OriginFile, MistakesHaveTheirLine) {
  const std::string path = testing::TempDir() + "origins-" + std::to_string(getpid()) + ".yaml";
  auto error_in = [&](const std::string& text) {
    std::ofstream(path) << text;
    Result<std::vector<Origin>> list = read_origins_file(path);
    return list ? std::to_string(list->size()) + " endpoints" : list.error().message();
  };
  EXPECT_EQ(error_in("- 10.0.0.1:80;weight=2\n- a.internal:80\n"), "2 endpoints");
  EXPECT_NE(error_in("- a:1\n- nothing\n").find(":2:3: \"nothing\" is not an address"), std::string::npos);
  EXPECT_NE(error_in("- file:more.yaml\n").find("cannot name another"), std::string::npos);
  EXPECT_NE(error_in("a: b\n").find("expected a list of addresses"), std::string::npos);
  EXPECT_NE(error_in("[]\n").find("the list is empty"), std::string::npos);
  EXPECT_NE(error_in("- {address: x}\n").find("expected an address, found"), std::string::npos);
  ::unlink(path.c_str());
  EXPECT_EQ(read_origins_file(path).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace duplex::client
