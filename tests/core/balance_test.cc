// A client over several real servers: health checks that they answer, and ones that go away.
#include <gtest/gtest.h>

#include "duplex/runtime/run.h"
#include "grpc/health/v1/health.duplex.h"
#include "talk_service.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
using grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse;

class Health final : public grpc::health::v1::HealthBase {
 public:
  std::atomic<bool> serving{true};
  std::atomic<int> asked{0};
  Task<Result<HealthCheckResponse>> check(Context&, const HealthCheckRequest& request) override {
    ++asked;
    if (request.service() != "talk.v1.Talk") co_return Status::not_found("no such service");
    HealthCheckResponse response;
    response.set_status(serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
    co_return response;
  }
  Task<Status> watch(Context&, const HealthCheckRequest&, Writer<HealthCheckResponse>&) override {
    co_return Status::unimplemented("nobody watches here");
  }
};

// A server that counts its calls, with both kinds of health check.
class Backend {
 public:
  explicit Backend(bool has_health = true) : server_(talk::v1::Pair::quiet()) {
    server_.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
    if (has_health) server_.serve(health);
    server_.route("GET /healthz", [this](Context& ctx, Call& c) -> Task<Outcome> {
      Metadata head;
      head.add(":status", health->serving ? "200" : "503");
      co_return co_await c.out->head(ctx, std::move(head));
    });
    server_.use(filter([this](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
      if (c.method->name == "/talk.v1.Talk/Say") ++said;
      return next.call(ctx, c);
    }));
    Status s = server_.start();
    if (!s.is_ok()) throw std::runtime_error(s.to_string());
  }
  std::string address() const { return server_.addresses()[0]; }
  void stop() { server_.stop(); }
  std::shared_ptr<Health> health = std::make_shared<Health>();
  std::atomic<int> said{0};

 private:
  Server server_;
};

std::shared_ptr<Client> client_of(const Backend& a, const Backend& b, const std::string& check) {
  Client::Settings settings;
  settings.name = "talk";
  settings.address = a.address() + ", " + b.address();
  settings.balance.policy = client::BalancePolicy::kRoundRobin;
  settings.balance.health.emplace();
  settings.balance.health->check = check;
  settings.balance.health->service = "talk.v1.Talk";
  settings.balance.health->every = 10ms;
  return std::make_shared<Client>(settings);
}

// Calls until `n` calls in a row have gone by the way that `is` asks for.
Task<void> call_until(Context& ctx, talk::v1::TalkClient& talk, int n, std::function<bool()> is) {
  for (int in_a_row = 0; in_a_row < n && !ctx.cancelled();) {
    talk::v1::SayRequest request;
    Result<talk::v1::SayReply> reply = co_await talk.say(ctx, request);
    EXPECT_TRUE(reply) << reply.error().to_string();
    if (!reply) co_return;
    in_a_row = is() ? in_a_row + 1 : 0;
    static_cast<void>(co_await sleep(ctx, 1ms));
  }
  EXPECT_FALSE(ctx.cancelled());
}

TEST(Balance, AServerThatSaysItIsNotServingGetsNoCallsUntilItDoes) {
  for (const char* check : {"grpc", "/healthz"}) {
    Backend a, b;
    auto client = client_of(a, b, check);
    run([&](Context& ctx) -> Task<void> {
      Context bounded(ctx, 20s);
      talk::v1::TalkClient talk(client);
      int before = 0;
      auto changed = [&](std::atomic<int>& count) { return std::exchange(before, count.load()) != count.load(); };
      co_await call_until(bounded, talk, 1, [&] { return a.said > 0 && b.said > 0; });
      a.health->serving = false;
      co_await call_until(bounded, talk, 20, [&] { return !changed(a.said); });
      a.health->serving = true;
      co_await call_until(bounded, talk, 1, [&] { return changed(a.said); });
      client.reset();
    });
    EXPECT_EQ(a.health->asked > 0, std::string(check) == "grpc");
  }
}

TEST(Balance, AServerWithoutTheHealthServiceIsWell) {
  Backend a(false), b(true);
  auto client = client_of(a, b, "grpc");
  run([&](Context& ctx) -> Task<void> {
    Context bounded(ctx, 20s);
    talk::v1::TalkClient talk(client);
    co_await call_until(bounded, talk, 1, [&] { return b.health->asked > 5; });
    const int before = a.said;
    co_await call_until(bounded, talk, 2, [&] { return true; });
    EXPECT_EQ(a.said, before + 1);
    client.reset();
  });
}

TEST(Balance, NoCallFailsWhenAServerStops) {
  Backend a, b;
  auto client = client_of(a, b, "grpc");
  run([&](Context& ctx) -> Task<void> {
    Context bounded(ctx, 20s);
    talk::v1::TalkClient talk(client);
    co_await call_until(bounded, talk, 1, [&] { return a.said > 0 && b.said > 0; });
    a.stop();
    const int before = b.said;
    co_await call_until(bounded, talk, 50, [&] { return true; });
    EXPECT_EQ(b.said, before + 50);
    client.reset();
  });
}

}  // namespace
}  // namespace duplex
