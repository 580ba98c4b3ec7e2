// bench_policy SECONDS: a unary call through all policies of a peer, in process, and the same call without them; ns and
// allocations of each, as JSON. Breaker, budget, limit, retry, fallback and timeout are on, and p2c chooses of three
// endpoints, whose Service answers at once. That each of them is at work is shown by tests/core/policies_test.cc.
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "app/all_policies.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace {

using namespace duplex;
using namespace std::chrono_literals;

std::atomic<uint64_t> allocations{0};

// Answers with its request.
class Echo final : public Service {
 public:
  Task<Outcome> call(Context& ctx, Call& c) override {
    NextResult m = co_await c.in->next(ctx);
    if (!m) co_return m.error();
    Status s = co_await c.out->write(ctx, std::move(**m));
    co_return s;
  }
};

struct Figures {
  double ns = 0, allocations = 0;
  uint64_t calls = 0;
};

Task<Figures> measure(Context& ctx, Service& service, Duration span) {
  const Method method("/bench.v1.Echo/Say", false, false, Idempotency::kIdempotent);
  const Message request(
      Bytes::copy("a request of about a hundred octets, as most are, when they are not a file or a list "
                  "of them"));
  Figures figures;
  const uint64_t before = allocations.load();
  const Time begin = Clock::now();
  for (Time now = begin; now - begin < span; now = Clock::now()) {
    for (int i = 0; i < 256; ++i) {
      One in(request);
      Keep out;
      Call call(method, Metadata(), in, out);
      Outcome outcome = co_await service.call(ctx, call);
      if (!outcome.status.is_ok() || !out.message) {
        std::fprintf(stderr, "a call failed: %s\n", outcome.status.to_string().c_str());
        std::_Exit(1);
      }
    }
    figures.calls += 256;
    static_cast<void>(co_await yield(ctx));  // a turn of the loop, whose clock the policies read
  }
  figures.ns = static_cast<double>((Clock::now() - begin).count()) / static_cast<double>(figures.calls);
  figures.allocations = static_cast<double>(allocations.load() - before) / static_cast<double>(figures.calls);
  co_return figures;
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
  const Duration span(static_cast<int64_t>(std::strtod(argc > 1 ? argv[1] : "1", nullptr) * 1e9));
  duplex::run([&](Context& ctx) -> Task<void> {
    Echo bare;
    app::AllPolicies all([&](size_t) -> Service& { return bare; });
    static_cast<void>(co_await measure(ctx, bare, span / 4));
    static_cast<void>(co_await measure(ctx, all.chain(), span / 4));
    Figures without = co_await measure(ctx, bare, span);
    Figures with = co_await measure(ctx, all.chain(), span);
    std::printf(
        "{\"bare_ns\": %.1f, \"ns\": %.1f, \"bare_allocations\": %.3f, \"allocations\": %.3f, \"calls\": %llu}\n",
        without.ns, with.ns, without.allocations, with.allocations, static_cast<unsigned long long>(with.calls));
  });
  return 0;
}
