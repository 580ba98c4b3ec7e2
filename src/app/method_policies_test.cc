#include "app/method_policies.h"

#include <gtest/gtest.h>

#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::app {
namespace {

using namespace std::chrono_literals;

// The timeout of the policy that a call goes through, in seconds.
class Told final : public Service {
 public:
  Told(int64_t seconds, int64_t& last) : seconds_(seconds), last_(last) {}
  Task<Outcome> call(Context&, Call&) override {
    last_ = seconds_;
    return Task<Outcome>::ready(Outcome());
  }

 private:
  const int64_t seconds_;
  int64_t& last_;
};

TEST(MethodPolicies, TheMostParticularPlaceThatSpeaksOfAMethodDecides) {
  Client::Settings settings;
  settings.policy.timeout = 1s;
  settings.methods["t.A/Own"].timeout = 2s;
  settings.methods["http:PUT"].timeout = 3s;
  int64_t last = 0;
  const MakeChain make = [&](const std::string&, const resilience::Policy& policy, const resilience::MethodConfig*) {
    return std::make_shared<Told>(policy.timeout / 1s, last);
  };
  auto of = [&](const char* name) {
    run([&](Context& ctx) -> Task<void> {
      std::shared_ptr<Service> service = by_method(settings, {"t.A/Handled"}, make);
      const Method method(name, false, false);
      One in{Message()};
      Drop out;
      Call call(method, Metadata(), in, out);
      static_cast<void>(co_await service->call(ctx, call));
    });
    return last;
  };
  EXPECT_EQ(of("/t.A/Own"), 2);
  EXPECT_EQ(of("/t.A/Handled"), 1);
  EXPECT_EQ(of("/t.A/Other"), 1);
  EXPECT_EQ(of("http:PUT"), 3);
  EXPECT_EQ(of("http:GET"), 1);
  auto config = resilience::parse_service_config(R"({"methodConfig": [
    {"name": [{}], "timeout": "10s"},
    {"name": [{"service": "t.A"}], "timeout": "20s"},
    {"name": [{"service": "t.A", "method": "Said"}], "timeout": "30s"}]})");
  ASSERT_TRUE(config) << config.error().to_string();
  settings.service_config = std::make_shared<const resilience::ServiceConfig>(*config);
  EXPECT_EQ(of("/t.A/Said"), 30);
  EXPECT_EQ(of("/t.A/Own"), 20);
  EXPECT_EQ(of("/t.A/Handled"), 20);
  EXPECT_EQ(of("/t.B/Any"), 10);
  // It is for the methods of contracts.
  EXPECT_EQ(of("http:PUT"), 3);
  EXPECT_EQ(of("http:POST"), 1);
}

}  // namespace
}  // namespace duplex::app
