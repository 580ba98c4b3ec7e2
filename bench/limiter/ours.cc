// bench_limiter WHAT THREADS SECONDS: one decision and one record of our limits, in ns a thread, as JSON. WHAT is
//   bulkhead   a place taken and given back, while eight more calls of the thread are under way
//   bucket     a token of the one bucket of all calls, with what the answer's fields say of it
//   keys       the same of one of a thousand keys
//   admission  a call taken on by an adaptive limit, and its end
// None refuses. `now` is given, as a loop's clock is, which is read once a turn.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "duplex/resilience/admission.h"
#include "duplex/resilience/limit.h"
#include "resilience/rate_limit_keys.h"

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

// `once(now, i)`: true if the call was let through.
template <class F>
Done repeat(F& once, Time end) {
  Done done;
  const Time begin = Clock::now();
  for (Time now = begin; now < end; now = Clock::now()) {
    for (int i = 0; i < kBatch; ++i) done.admitted += once(now, i);
    done.calls += kBatch;
  }
  done.took = Clock::now() - begin;
  return done;
}

template <class F>
int measure(size_t threads, Duration span, F once) {
  repeat(once, Clock::now() + 50ms);
  std::vector<Done> all(threads);
  std::atomic<uint64_t> before{0}, after{0};
  std::barrier begin(static_cast<std::ptrdiff_t>(threads), [&]() noexcept { before = allocations.load(); });
  std::barrier end(static_cast<std::ptrdiff_t>(threads), [&]() noexcept { after = allocations.load(); });
  std::vector<std::thread> running;
  for (size_t i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      begin.arrive_and_wait();
      all[i] = repeat(once, Clock::now() + span);
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
  std::printf("{\"ns\": %.3f, \"decisions\": %lu, \"allocations\": %lu}\n", ns, calls, after - before);
  if (admitted == calls) return 0;
  std::fprintf(stderr, "bench_limiter: %lu of %lu calls were refused: that is not what is measured\n", calls - admitted,
               calls);
  return 1;
}

RateLimitSettings fast(const char* key) {
  RateLimitSettings rule;
  rule.key = key;
  rule.rate = 1e9;
  rule.burst = 1'000'000'000;
  return rule;
}

int run(const std::string& what, size_t threads, Duration span) {
  if (what == "bulkhead") {
    Bulkhead bulkhead(LimitSettings{});
    return measure(threads, span, [&](Time, int) {
      thread_local const bool busy = [&] {
        for (int i = 0; i < 8; ++i) bulkhead.try_enter();
        return true;
      }();
      if (!busy) return false;
      const bool entered = bulkhead.try_enter();
      if (entered) bulkhead.leave(1us);
      return entered;
    });
  }
  if (what == "bucket") {
    RateLimitKeys keys(fast(""));
    return measure(threads, span, [&](Time now, int) { return keys.take("", now).passes; });
  }
  if (what == "keys") {
    RateLimitKeys keys(fast("metadata:x-tenant"));
    std::vector<std::string> tenants;
    for (int i = 0; i < 1000; ++i) tenants.push_back("tenant-" + std::to_string(i));
    return measure(threads, span, [&](Time now, int i) {
      return keys.take(tenants[static_cast<size_t>(i) * 7 % tenants.size()], now).passes;
    });
  }
  if (what == "admission") {
    ServerLimitSettings settings;
    settings.adaptive.emplace();
    Admission admission(settings);
    return measure(threads, span, [&](Time now, int) {
      const bool admitted = admission.enter(5, Admission::Kind::kUnary, now);
      if (admitted) admission.leave(Admission::Kind::kUnary, true, now);
      return admitted;
    });
  }
  std::fputs("usage: bench_limiter bulkhead|bucket|keys|admission THREADS SECONDS\n", stderr);
  return 2;
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
  if (argc != 4) return run("", 0, {});
  return run(argv[1], std::strtoul(argv[2], nullptr, 10),
             Duration(static_cast<int64_t>(std::strtod(argv[3], nullptr) * 1e9)));
}
