#include "cli/policy_explain.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "cli/worst_case.h"

namespace duplex::cli {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFile = R"(peers:
  payments:
    address: payments.internal:8080
    timeout: 2s
    breaker: {minimum: 20}
    retry: {attempts: 3, per_try: 500ms, on: [UNAVAILABLE, 503]}
    methods:
      shop.v1.Payments/Charge: {retry: {attempts: 2}, breaker: off}
)";

class Explained : public testing::Test {
 protected:
  void SetUp() override { std::ofstream(path) << kFile; }
  void TearDown() override { ::unlink(path.c_str()); }
  std::string of(const std::string& method, std::vector<std::string> environment = {}) {
    Result<std::string> text = explain_policy({path, "payments", method, std::move(environment)});
    return text ? *text : text.error().to_string();
  }
  // The line of a setting, its columns a blank apart.
  static std::string line(const std::string& text, const std::string& setting) {
    const size_t at = text.find("\n" + setting + " ");
    if (at == text.npos) return "(no line)";
    std::string squeezed;
    for (char c : text.substr(at + 1, text.find('\n', at + 1) - at - 1))
      if (c != ' ' || (!squeezed.empty() && squeezed.back() != ' ')) squeezed += c;
    return squeezed;
  }
  const std::string path = testing::TempDir() + "duplex-explain-" + std::to_string(::getpid()) + ".yaml";
};

TEST_F(Explained, EachValueSaysWhereItComesFrom) {
  const std::string peer = of(""), charge = of("shop.v1.Payments/Charge");
  EXPECT_EQ(line(peer, "retry.attempts"), "retry.attempts 3 " + path + ":6:23 (peer)");
  EXPECT_EQ(line(charge, "retry.attempts"), "retry.attempts 2 " + path + ":8:51 (method)");
  EXPECT_EQ(line(charge, "retry.per_try"), "retry.per_try 500ms " + path + ":6:35 (peer)");
  EXPECT_EQ(line(charge, "retry.on"), "retry.on [UNAVAILABLE, 503] " + path + ":6:46 (peer)");
  EXPECT_EQ(line(charge, "retry.backoff.base"), "retry.backoff.base 25ms default");
  EXPECT_EQ(line(peer, "breaker.minimum"), "breaker.minimum 20 " + path + ":5:24 (peer)");
  EXPECT_EQ(line(charge, "breaker"), "breaker off " + path + ":8:64 (method)");
  EXPECT_EQ(line(charge, "breaker.minimum"), "(no line)");
  EXPECT_EQ(line(peer, "hedge"), "hedge off default");
  EXPECT_EQ(line(of("", {"DUPLEX_PEERS__PAYMENTS__TIMEOUT=3s"}), "timeout"),
            "timeout 3s environment variable DUPLEX_PEERS__PAYMENTS__TIMEOUT (peer)");
}

TEST_F(Explained, WhatAServiceConfigSaysHoldsForTheMethodsThatItNames) {
  std::ofstream(path) << R"(peers:
  payments:
    address: payments.internal:8080
    service_config: |
      {"methodConfig": [{"name": [{"service": "shop.v1.Payments", "method": "Find"}], "timeout": "3s", "retryPolicy": {
        "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "ABORTED"]}}]}
)";
  const std::string find = of("shop.v1.Payments/Find"), charge = of("shop.v1.Payments/Charge");
  const std::string from = path + ":4:21 (service config)";
  EXPECT_EQ(line(find, "timeout"), "timeout 3s " + from);
  EXPECT_EQ(line(find, "retry.attempts"), "retry.attempts 4 " + from);
  EXPECT_EQ(line(find, "retry.on"), "retry.on [UNAVAILABLE, ABORTED] " + from);
  EXPECT_EQ(line(find, "retry"), "(no line)");
  EXPECT_NE(find.find("attempt 1"), std::string::npos) << find;
  EXPECT_EQ(line(charge, "timeout"), "timeout 15s default");
  EXPECT_EQ(line(charge, "retry"), "retry off default");
}

TEST_F(Explained, RulesThatDoNotFitTheContractAreTold) {
  const std::string folder = testing::TempDir(), name = "duplex-explain-" + std::to_string(::getpid()) + ".proto";
  std::ofstream(folder + name) << "syntax = \"proto3\"; package t; message M { int64 id = 1; }\n"
                                  "service Prices { rpc Get(M) returns (M); }\n";
  auto told = [&](const std::string& reply) {
    std::ofstream(path) << "peers: {a: {address: \"a:1\", fallback: {reply: '" + reply + "'}}}\n";
    Result<std::string> text = explain_policy({path, "a", "t.Prices/Get", {}, {name}, {folder}});
    return text ? "fits" : text.error().message();
  };
  EXPECT_EQ(told("id: 5"), "fits");
  EXPECT_TRUE(told("ids: 5").starts_with(path + ":1:47: peers.a.fallback.reply: is no reply of t.Prices/Get: "))
      << told("ids: 5");
  ::unlink((folder + name).c_str());
}

TEST_F(Explained, MistakesAreTold) {
  EXPECT_EQ(explain_policy({path, "payment", "", {}}).error().message(),
            path + " has no peer \"payment\"; did you mean \"payments\"?");
  std::ofstream(path) << "peers: {a: {address: \"a:1\", retry: {atempts: 1}}}\n";
  EXPECT_NE(explain_policy({path, "a", "", {}}).error().message().find(": peers.a.retry.atempts"), std::string::npos);
  EXPECT_EQ(explain_policy({"/no/such.yaml", "a", "", {}}).error().code(), Code::kNotFound);
}

std::string shown(const std::vector<Stretch>& all) {
  std::string text;
  for (const Stretch& s : all)
    text += (s.kind == Stretch::Kind::kAttempt ? "#" : "wait ") + std::to_string(s.attempt) + " " +
            show_duration(s.begins) + "-" + show_duration(s.ends) + "; ";
  return text;
}

TEST(WorstCase, IsWhatThePolicyAllows) {
  resilience::Policy policy;
  policy.timeout = 2s;
  EXPECT_EQ(shown(worst_case(policy)), "#1 0ns-2s; ");
  policy.retry.emplace();
  policy.retry->attempts = 3;
  EXPECT_EQ(shown(worst_case(policy)), "#1 0ns-2s; ");  // an attempt may take it all
  policy.retry->per_try = 500ms;
  policy.retry->backoff = {100ms, 150ms, 2, resilience::Jitter::kFull};
  EXPECT_EQ(shown(worst_case(policy)),
            "#1 0ns-500ms; wait 1 500ms-600ms; #2 600ms-1.1s; wait 2 1.1s-1.25s; #3 1.25s-1.75s; ");
  policy.retry->elapsed = 1s;
  EXPECT_EQ(shown(worst_case(policy)), "#1 0ns-500ms; wait 1 500ms-600ms; #2 600ms-1.1s; ");
  policy.retry->elapsed = 0s;
  policy.timeout = 1150ms;
  EXPECT_EQ(shown(worst_case(policy)), "#1 0ns-500ms; wait 1 500ms-600ms; #2 600ms-1.1s; ");
  policy.retry.reset();
  policy.hedge.emplace();
  policy.hedge->attempts = 3;
  policy.hedge->delay = 400ms;
  EXPECT_EQ(shown(worst_case(policy)), "#1 0ns-1.15s; #2 400ms-1.15s; #3 800ms-1.15s; ");
}

TEST(WorstCase, TheDrawingIsToScale) {
  resilience::Policy policy;
  policy.timeout = 1s;
  policy.retry.emplace();
  policy.retry->attempts = 2;
  policy.retry->per_try = 250ms;
  policy.retry->backoff = {250ms, 1s, 2, resilience::Jitter::kNone};
  const std::string text = draw_worst_case(policy);
  EXPECT_TRUE(text.starts_with("A unary call takes 750ms at worst;")) << text;
  EXPECT_NE(text.find("attempt 2  |                        ############             |"), std::string::npos) << text;
}

}  // namespace
}  // namespace duplex::cli
