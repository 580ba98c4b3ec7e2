// Our typed client as the one that is measured: calls in flight on one connection of one loop. Prints one JSON object.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "duplex/duplex.h"
#include "echo.duplex.h"
#include "load/request.h"

namespace {

using namespace duplex;
using SteadyClock = std::chrono::steady_clock;

struct Shared {
  duplex::bench::EchoClient client;
  int64_t calls = 0, started = 0, done = 0, errors = 0, compared = 0, different = 0;
  std::vector<uint32_t> latencies{};  // ns
};

// One call after the other until all are done. Request and reply as a caller's own code would have them.
Task<void> work(Context& ctx, Shared& shared) {
  while (shared.started < shared.calls) {
    const int64_t index = shared.started++;
    char id[32];
    std::snprintf(id, sizeof id, "order-%010lld", static_cast<long long>(index));
    duplex::bench::EchoRequest request;
    request.set_id(id);
    request.set_sequence(index + (int64_t{1} << 35));
    request.set_customer("customer-000042");
    auto* item = request.add_items();
    item->set_sku("sku-1234");
    item->set_quantity(3);
    item->set_price(19.5);
    request.set_payload("0123456789abcdefghijklmnopqrstuv");
    const SteadyClock::time_point start = SteadyClock::now();
    Result<duplex::bench::EchoReply> reply = co_await shared.client.unary(ctx, request);
    shared.latencies.push_back(static_cast<uint32_t>(std::chrono::nanoseconds(SteadyClock::now() - start).count()));
    ++shared.done;
    if (!reply) {
      if (shared.errors++ == 0) std::fprintf(stderr, "client: %s\n", reply.error().message().c_str());
    } else if (reply->sequence() != request.sequence()) {
      ++shared.different;
    } else if (index % 1000 == 0) {
      ++shared.compared;
      if (reply->SerializeAsString() != ::bench::request_message(index)) ++shared.different;
    }
  }
}

Task<void> all(Context& ctx, Shared& shared, size_t in_flight) {
  Scope scope(ctx);
  for (size_t i = 0; i < in_flight; ++i) scope.spawn([&shared](Context& c) { return work(c, shared); });
  co_await scope.join();
}

double own_cpu() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

Task<int> measure(Context& ctx, const char* address, size_t in_flight, int64_t calls) {
  auto peer = std::make_shared<Client>(Client::Settings{.name = "echo", .address = address});
  Shared shared{duplex::bench::EchoClient(peer)};
  shared.calls = std::max<int64_t>(calls / 10, 1);  // a warm-up, which is not measured
  shared.latencies.reserve(static_cast<size_t>(calls));
  co_await all(ctx, shared, in_flight);
  std::printf("start\n");
  std::fflush(stdout);
  std::getchar();
  shared.calls = calls;
  shared.started = shared.done = 0;
  shared.latencies.clear();
  double cpu = own_cpu();
  const SteadyClock::time_point start = SteadyClock::now();
  co_await all(ctx, shared, in_flight);
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  cpu = own_cpu() - cpu;
  std::sort(shared.latencies.begin(), shared.latencies.end());
  auto at = [&](double p) {
    return shared.latencies[static_cast<size_t>(static_cast<double>(shared.latencies.size() - 1) * p)] / 1000.0;
  };
  std::printf(
      "{\"calls\": %lld, \"errors\": %lld, \"compared\": %lld, \"different\": %lld, \"seconds\": %.4f, "
      "\"load_cpu_s\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
      static_cast<long long>(shared.done), static_cast<long long>(shared.errors),
      static_cast<long long>(shared.compared), static_cast<long long>(shared.different), seconds, cpu, at(.5), at(.99));
  co_return shared.errors || shared.different;
}

}  // namespace

// ours ADDRESS IN-FLIGHT CALLS
int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: ours ADDRESS IN-FLIGHT CALLS\n"), 2;
  return duplex::run([&](Context& ctx) -> Task<int> {
    return measure(ctx, argv[1], static_cast<size_t>(std::atoi(argv[2])), std::atoll(argv[3]));
  });
}
