// Ten servers of one service, one of them slow, and a client that balances by the policy that is measured. All of it in
// one process, over loopback. Calls come at a fixed rate, whatever becomes of those before them, and each is timed from
// when it was due: one that is late because others were slow counts as slow. Prints one JSON object.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "duplex/duplex.h"
#include "duplex/runtime/wait.h"
#include "grpc/echo_service.h"

namespace {

using namespace duplex;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int kServers = 10;
constexpr Duration kQuick = 10ms, kSlow = 200ms;

// The service of which one call takes so long.
class Backend {
 public:
  explicit Backend(Duration takes) : takes_(takes), server_(settings()) {
    server_.listen("127.0.0.1:0").serve(std::make_shared<duplex::bench::EchoService>());
    server_.use(filter([this](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
      calls.fetch_add(1, std::memory_order_relaxed);
      if (Status s = co_await sleep(ctx, takes_); !s.is_ok()) co_return s;
      co_return co_await next.call(ctx, c);
    }));
    if (Status s = server_.start(); !s.is_ok()) {
      std::fprintf(stderr, "%s\n", s.to_string().c_str());
      std::exit(1);
    }
  }
  std::string address() const { return server_.addresses()[0]; }
  std::atomic<int64_t> calls{0};

 private:
  static Server::Settings settings() {
    Server::Settings s;
    s.loops = 1;
    s.max_streams = 10'000;
    s.access_log = false;
    return s;
  }
  const Duration takes_;
  Server server_;
};

struct Load {
  duplex::bench::EchoClient client;
  int64_t rate, errors = 0;
  std::vector<float> latencies{};  // ms
};

Task<void> one_call(Context& ctx, Load& load, SteadyClock::time_point due, bool counted) {
  duplex::bench::EchoRequest request;
  request.set_id("order-0000000001");
  Result<duplex::bench::EchoReply> reply = co_await load.client.unary(ctx, request);
  if (!reply && load.errors++ == 0) std::fprintf(stderr, "%s\n", reply.error().to_string().c_str());
  if (counted) load.latencies.push_back(std::chrono::duration<float, std::milli>(SteadyClock::now() - due).count());
}

// Calls at load.rate a second for that time.
Task<void> calls_for(Context& ctx, Load& load, Duration span, bool counted) {
  Scope scope(ctx);
  const SteadyClock::time_point start = SteadyClock::now();
  const Duration every = Duration(1s) / load.rate;
  for (int64_t i = 0; every * i < span; ++i) {
    const SteadyClock::time_point due = start + every * i;
    if (due > SteadyClock::now()) static_cast<void>(co_await sleep_until(ctx, due));
    scope.spawn([&load, due, counted](Context& own) { return one_call(own, load, due, counted); });
  }
  co_await scope.join();
}

double own_cpu() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int measure(client::BalancePolicy policy, int64_t rate, Duration span) {
  std::vector<std::unique_ptr<Backend>> backends;
  Client::Settings settings;
  settings.name = "echo";
  settings.balance.policy = policy;
  for (int i = 0; i < kServers; ++i) {
    backends.push_back(std::make_unique<Backend>(i == 3 ? kSlow : kQuick));
    settings.address += (i ? "," : "") + backends.back()->address();
  }
  Load load{duplex::bench::EchoClient(std::make_shared<Client>(settings)), rate};
  double cpu = 0, seconds = 0;
  int64_t slow_before = 0;
  duplex::run([&](Context& ctx) -> Task<void> {
    co_await calls_for(ctx, load, 500ms, false);  // connections, and first impressions
    slow_before = backends[3]->calls;
    cpu = own_cpu();
    const SteadyClock::time_point start = SteadyClock::now();
    co_await calls_for(ctx, load, span, true);
    seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    cpu = own_cpu() - cpu;
  });
  std::sort(load.latencies.begin(), load.latencies.end());
  auto at = [&](double p) {
    return load.latencies[static_cast<size_t>(static_cast<double>(load.latencies.size() - 1) * p)];
  };
  std::printf(
      "{\"calls\": %zu, \"errors\": %lld, \"seconds\": %.4f, \"load_cpu_s\": %.4f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
      "\"p999_ms\": %.2f, \"slow_share\": %.4f}\n",
      load.latencies.size(), static_cast<long long>(load.errors), seconds, cpu, at(.5), at(.99), at(.999),
      static_cast<double>(backends[3]->calls - slow_before) / static_cast<double>(load.latencies.size()));
  return load.errors != 0;
}

}  // namespace

// balance POLICY CALLS-A-SECOND SECONDS
int main(int argc, char** argv) {
  const std::map<std::string, client::BalancePolicy> policies{{"round_robin", client::BalancePolicy::kRoundRobin},
                                                              {"p2c", client::BalancePolicy::kP2c},
                                                              {"ewma", client::BalancePolicy::kEwma}};
  if (argc != 4 || !policies.contains(argv[1]))
    return std::fprintf(stderr, "usage: balance round_robin|p2c|ewma CALLS-A-SECOND SECONDS\n"), 2;
  const Duration span(static_cast<int64_t>(std::atof(argv[3]) * 1e9));
  return measure(policies.at(argv[1]), std::atoll(argv[2]), span);
}
