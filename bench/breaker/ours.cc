// bench_breaker calls|time all_good|some_fail THREADS SECONDS: one decision and one record of our circuit breaker with
// its defaults (a window of 100 calls, or of 100 s), in ns a thread, as JSON. some_fail: one call of eight, which is
// too few to open it.
//
// `now` is given, as a loop's clock is, which is read once a turn; it moves so that a window of time moves too.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "duplex/resilience/breaker.h"

namespace {

using namespace duplex;
using namespace duplex::resilience;
using namespace std::chrono_literals;

constexpr int kBatch = 4096;

std::atomic<uint64_t> allocations{0};

struct Done {
  uint64_t calls = 0, admitted = 0;
  Duration took{};
};

Done calls_until(CircuitBreaker& breaker, bool some_fail, Time end) {
  Done done;
  const Time begin = Clock::now();
  for (Time now = begin; now < end; now = Clock::now()) {
    for (int i = 0; i < kBatch; ++i) {
      const CircuitBreaker::Admission admission = breaker.try_acquire(now);
      done.admitted += admission.admitted;
      const bool fails = some_fail && (i & 7) == 7;
      breaker.record(admission.permit, fails ? CircuitBreaker::Verdict::kFailed : CircuitBreaker::Verdict::kGood, 1us,
                     now);
    }
    done.calls += kBatch;
  }
  done.took = Clock::now() - begin;
  return done;
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* malloc(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
}

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: bench_breaker calls|time all_good|some_fail THREADS SECONDS\n", stderr);
    return 2;
  }
  const bool some_fail = std::string(argv[2]) == "some_fail";
  const size_t threads = std::strtoul(argv[3], nullptr, 10);
  const Duration run(static_cast<int64_t>(std::strtod(argv[4], nullptr) * 1e9));
  BreakerSettings settings;
  if (std::string(argv[1]) == "time") settings.window = {0, 100s};
  CircuitBreaker breaker(settings);
  calls_until(breaker, some_fail, Clock::now() + 50ms);

  std::vector<Done> all(threads);
  std::atomic<uint64_t> before{0}, after{0};
  std::barrier begin(static_cast<std::ptrdiff_t>(threads), [&]() noexcept { before = allocations.load(); });
  std::barrier end(static_cast<std::ptrdiff_t>(threads), [&]() noexcept { after = allocations.load(); });
  std::vector<std::thread> running;
  for (size_t i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      begin.arrive_and_wait();
      all[i] = calls_until(breaker, some_fail, Clock::now() + run);
      end.arrive_and_wait();
    });
  for (std::thread& thread : running) thread.join();

  double ns = 0;
  uint64_t calls = 0, admitted = 0;
  for (const Done& done : all) {
    ns += static_cast<double>(done.took.count()) / static_cast<double>(done.calls) / static_cast<double>(threads);
    calls += done.calls;
    admitted += done.admitted;
  }
  const bool closed = breaker.snapshot(Clock::now()).state == CircuitBreaker::State::kClosed;
  std::printf("{\"ns\": %.3f, \"decisions\": %lu, \"allocations\": %lu}\n", ns, calls, after - before);
  if (!closed || admitted != calls) {
    std::fputs("bench_breaker: the breaker has opened: that is not what is measured\n", stderr);
    return 1;
  }
  return 0;
}
