#include "duplex/resilience/service_config.h"

#include "resilience/scripted_peer.h"

namespace duplex::resilience {
namespace {

// gRFC A6's own example.
constexpr std::string_view kRetry = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "shop.v1.Payments", "method": "Find"}, {"service": "shop.v1.Orders"}],
    "timeout": "1.5s",
    "waitForReady": true,
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "aborted", 8]
    }
  }, {
    "name": [{}],
    "timeout": "30s"
  }],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
})";

std::string with_policy(const std::string& policy) {
  return R"({"methodConfig": [{"name": [{"service": "s.S"}], )" + policy + "}]}";
}
std::string retry_policy_with(const std::string& member) {
  const std::pair<const char*, const char*> members[] = {{"maxAttempts", "4"},
                                                         {"initialBackoff", R"("0.1s")"},
                                                         {"maxBackoff", R"("1s")"},
                                                         {"backoffMultiplier", "2"},
                                                         {"retryableStatusCodes", R"(["UNAVAILABLE"])"}};
  std::string all;
  for (auto [name, value] : members) {
    const std::string quoted = std::string("\"") + name + "\"";
    if (!all.empty()) all += ", ";
    all += member.starts_with(quoted) ? member : quoted + ": " + value;
  }
  return with_policy(R"("retryPolicy": {)" + all + "}");
}

TEST(ServiceConfig, IsRead) {
  Result<ServiceConfig> config = parse_service_config(kRetry);
  ASSERT_TRUE(config) << config.error().to_string();
  const MethodConfig* m = config->find("/shop.v1.Payments/Find");
  ASSERT_TRUE(m && m->retry && !m->hedge);
  EXPECT_EQ(m->timeout, 1500ms);
  EXPECT_EQ(m->wait_for_ready, true);
  EXPECT_EQ(m->retry->attempts, 4);
  EXPECT_EQ(m->retry->backoff.base, 100ms);
  EXPECT_EQ(m->retry->backoff.cap, 1s);
  EXPECT_EQ(m->retry->backoff.multiplier, 2);
  EXPECT_EQ(m->retry->backoff.jitter, Jitter::kGrpc);
  EXPECT_EQ(m->retry->on, (std::vector<Cause>{Cause::of(Code::kUnavailable), Cause::of(Code::kAborted),
                                              Cause::of(Code::kResourceExhausted)}));
  EXPECT_EQ(m->retry->idempotent, Repeat::kAlways);
  ASSERT_TRUE(config->throttle);
  EXPECT_EQ(config->throttle->max_tokens, 10);
  EXPECT_EQ(config->throttle->ratio, 0.1);
}

TEST(ServiceConfig, TheMostParticularNameCounts) {
  Result<ServiceConfig> config = parse_service_config(kRetry);
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->find("/shop.v1.Orders/Anything")->retry);
  EXPECT_FALSE(config->find("/shop.v1.Payments/Other")->retry);
  EXPECT_EQ(config->find("/shop.v1.Payments/Other")->timeout, 30s);
  EXPECT_EQ(config->find("http:GET /x")->timeout, 30s);
  config = parse_service_config("{}");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->find("/shop.v1.Orders/Anything"));
}

TEST(ServiceConfig, AHedgingPolicyIsRead) {
  Result<ServiceConfig> config = parse_service_config(with_policy(
      R"("hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.25s", "nonFatalStatusCodes": ["UNAVAILABLE"]})"));
  ASSERT_TRUE(config) << config.error().to_string();
  const HedgeSettings& hedge = *config->find("/s.S/M")->hedge;
  EXPECT_EQ(hedge.attempts, 3);
  EXPECT_EQ(hedge.delay, 250ms);
  EXPECT_EQ(hedge.non_fatal, std::vector<Cause>{Cause::of(Code::kUnavailable)});
  EXPECT_EQ(hedge.idempotent, Repeat::kAlways);
  config = parse_service_config(with_policy(R"("hedgingPolicy": {"maxAttempts": 9})"));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->find("/s.S/M")->hedge->attempts, 5);
  EXPECT_EQ(config->find("/s.S/M")->hedge->delay, 0ms);
  EXPECT_TRUE(config->find("/s.S/M")->hedge->non_fatal.empty());
}

TEST(ServiceConfig, MoreThanFiveAttemptsAreFive) {
  Result<ServiceConfig> config = parse_service_config(retry_policy_with(R"("maxAttempts": 50)"));
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->find("/s.S/M")->retry->attempts, 5);
}

TEST(ServiceConfig, AMistakeIsNamedWithItsPlace) {
  const std::pair<std::string, std::string> cases[] = {
      {retry_policy_with(R"("maxAttempts": 1)"),
       "methodConfig[0].retryPolicy.maxAttempts: must be a whole number of at"},
      {retry_policy_with(R"("maxAttempts": 2.5)"), "methodConfig[0].retryPolicy.maxAttempts: "},
      {retry_policy_with(R"("maxAttempts": "4")"), "methodConfig[0].retryPolicy.maxAttempts: "},
      {retry_policy_with(R"("initialBackoff": "0s")"), "methodConfig[0].retryPolicy.initialBackoff: must be a time"},
      {retry_policy_with(R"("initialBackoff": "-1s")"), "methodConfig[0].retryPolicy.initialBackoff: "},
      {retry_policy_with(R"("maxBackoff": "1")"), "methodConfig[0].retryPolicy.maxBackoff: "},
      {retry_policy_with(R"("maxBackoff": null)"), "methodConfig[0].retryPolicy.maxBackoff: "},
      {retry_policy_with(R"("backoffMultiplier": 0)"),
       "methodConfig[0].retryPolicy.backoffMultiplier: must be a number"},
      {retry_policy_with(R"("retryableStatusCodes": [])"), "retryPolicy.retryableStatusCodes: must name at least one"},
      {retry_policy_with(R"("retryableStatusCodes": ["NOPE"])"), "retryPolicy.retryableStatusCodes[0]: must be a gRPC"},
      {retry_policy_with(R"("retryableStatusCodes": [17])"), "retryPolicy.retryableStatusCodes[0]: "},
      {retry_policy_with(R"("retryableStatusCodes": "UNAVAILABLE")"),
       "retryPolicy.retryableStatusCodes: must be a list"},
      {with_policy(R"("retryPolicy": 1)"), "methodConfig[0].retryPolicy: must be an object"},
      {with_policy(R"("hedgingPolicy": {"maxAttempts": 1})"), "methodConfig[0].hedgingPolicy.maxAttempts: "},
      {with_policy(R"("timeout": 5)"), "methodConfig[0].timeout: "},
      {with_policy(R"("waitForReady": "yes")"), "methodConfig[0].waitForReady: must be true or false"},
      {R"({"methodConfig": [{"name": [{"method": "M"}]}]})", "methodConfig[0].name[0]: has a method but no service"},
      {R"({"methodConfig": [{"name": [{"service": "s.S"}]}, {"name": [{"service": "s.S"}]}]})",
       "methodConfig[1].name[0]: /s.S/ is named twice"},
      {R"({"methodConfig": {}})", "methodConfig: must be a list"},
      {R"({"methodConfig": [1]})", "methodConfig[0]: must be an object"},
      {R"({"retryThrottling": {"maxTokens": 0, "tokenRatio": 1}})",
       "retryThrottling.maxTokens: must be a number above 0"},
      {R"({"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}})", "retryThrottling.maxTokens: "},
      {R"({"retryThrottling": {"maxTokens": 10}})", "retryThrottling.tokenRatio: "},
      {R"({"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.0001}})",
       "retryThrottling.tokenRatio: must be at least"},
      {"[]", "is no JSON object"},
      {"{", "is no JSON object"},
      {"", "is no JSON object"},
  };
  for (const auto& [json, expected] : cases) {
    Result<ServiceConfig> config = parse_service_config(json);
    EXPECT_EQ(config.error().code(), Code::kInvalidArgument) << json;
    EXPECT_NE(config.error().message().find(expected), std::string::npos) << json << "\n"
                                                                          << config.error().message() << "\n"
                                                                          << expected;
  }
  Result<ServiceConfig> both =
      parse_service_config(with_policy(R"("retryPolicy": {"maxAttempts": 2}, "hedgingPolicy": {"maxAttempts": 2})"));
  EXPECT_EQ(both.error().message(),
            "service config, methodConfig[0]: has a retryPolicy and a hedgingPolicy; a method can have one");
}

// ---- as a filter ----

TEST(ByServiceConfig, RetriesAMethodThatItNames) {
  Result<ServiceConfig> config = parse_service_config(kRetry);
  ASSERT_TRUE(config);
  TestCall call({fails(Code::kUnavailable), answers("done")});
  EXPECT_TRUE(call.made_with(by_service_config("payments", *config)).status.is_ok());
  ASSERT_EQ(call.peer->seen.size(), 2u);
  EXPECT_GE(call.peer->seen[1].at, 80);
  EXPECT_LE(call.peer->seen[1].at, 121);

  TestCall other({fails(Code::kUnavailable)});
  other.method = &TestCall::not_idempotent();
  other.made_with(by_service_config("payments", *config));
  EXPECT_EQ(other.peer->seen.size(), 1u);
}

TEST(ByServiceConfig, SetsTheDeadlineOfTheWholeCall) {
  Result<ServiceConfig> config = parse_service_config(kRetry);
  ASSERT_TRUE(config);
  TestCall call({is_silent()});
  EXPECT_EQ(call.made_with(by_service_config("payments", *config)).status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(call.took, 1500);
}

TEST(ByServiceConfig, ItsThrottleIsOneForAllMethods) {
  Result<ServiceConfig> config = parse_service_config(kRetry);
  ASSERT_TRUE(config);
  static const Method orders("/shop.v1.Orders/GetOrder", false, false);
  const Filter filter = by_service_config("payments", *config);
  TestCall first({fails(Code::kUnavailable)}), second({fails(Code::kUnavailable)});
  second.method = &orders;
  first.made_with(filter);
  EXPECT_EQ(first.peer->seen.size(), 4u);
  second.made_with(filter);  // the fifth failure leaves half of the tokens
  EXPECT_EQ(second.peer->seen.size(), 1u);
}

TEST(ByServiceConfig, Hedges) {
  Result<ServiceConfig> config =
      parse_service_config(R"({"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3}}]})");
  ASSERT_TRUE(config) << config.error().to_string();
  TestCall call({is_silent(), is_silent(), answers("third")});
  EXPECT_TRUE(call.made_with(by_service_config("payments", *config)).status.is_ok());
  EXPECT_EQ(call.took, 0);
}

}  // namespace
}  // namespace duplex::resilience
