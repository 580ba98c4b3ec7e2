// The storm: a server that can answer 800 calls a second is asked for 8,000, by callers that each retry three times.
// With an adaptive limit, shedding and a retry budget, and once more with none of them, which shows what they are for.
//
//   storm [--short] [--rate N]
//
// done/s is what the server finished before the deadline it was told; late ms, how late the callers themselves were.
// A call counts as good if its caller had the answer within its deadline. Exit status 1: a promise is not kept; 77: the
// callers could not call often enough on this machine, so nothing was shown.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "callers.h"
#include "counter.h"
#include "duplex/app/server.h"
#include "duplex/resilience/admission.h"
#include "duplex/runtime/run.h"

namespace duplex::storm {
namespace {

using namespace std::chrono_literals;

constexpr size_t kCallers = 400;
constexpr Duration kLate = 500ms;
constexpr double kQuietRate = 200, kAfterRate = 400;

struct Plan {
  double rate = 8000;
  Duration storm = 30s, quiet = 3s, after = 8s;
};

struct Result {
  Phase quiet, storm, after;
  double done = 0;       // a second of the storm, as the server sees it
  Duration recovered{};  // after the end of the storm
};

double ms(Duration span) { return std::chrono::duration<double, std::milli>(span).count(); }

// From when on calls were answered as before the storm: all but one in a hundred, and half of them in less than twice
// the usual time. In quarters of a second.
Duration recovery(const Result& result) {
  constexpr Duration kSlot = 250ms;
  struct Slot {
    int all = 0, good = 0, fast = 0;
  };
  std::vector<Slot> slots;
  for (const Seen& seen : result.after.calls) {
    const auto at = static_cast<size_t>(seen.began / kSlot);
    if (at >= slots.size()) slots.resize(at + 1);
    ++slots[at].all;
    slots[at].good += seen.ok;
    slots[at].fast += seen.ok && seen.took < 2 * result.quiet.served_at(0.5);
  }
  size_t since = slots.size();
  while (since > 0) {
    const Slot& slot = slots[since - 1];
    if (slot.good * 100 < slot.all * 99 || slot.fast * 2 < slot.all) break;
    --since;
  }
  return static_cast<int64_t>(since) * kSlot;
}

Result run_storm(const Plan& plan, bool protects) {
  Server::Settings settings;
  settings.log_file = "/dev/null";
  settings.access_log = false;
  settings.max_streams = 100'000;
  Server server(settings);
  auto counter = std::make_shared<Counter>();
  server.listen("127.0.0.1:0").serve(counter).one_loop();
  resilience::ServerLimitSettings limit;
  limit.adaptive.emplace();
  if (protects) server.use(resilience::admit(limit, std::make_shared<resilience::Admission>(limit)));
  if (Status s = server.start(); !s.is_ok()) {
    std::fprintf(stderr, "storm: %s\n", s.to_string().c_str());
    std::exit(2);
  }
  std::shared_ptr<resilience::Budget> budget;
  if (protects) budget = std::make_shared<resilience::RetryBudget>(resilience::BudgetSettings());
  Callers callers(server.addresses()[0], kCallers, budget);
  return run([&](Context& ctx) -> Task<Result> {
    Result result;
    result.quiet = co_await callers.call(ctx, kQuietRate, plan.quiet);
    const int64_t before = counter->done();
    result.storm = co_await callers.call(ctx, plan.rate, plan.storm);
    result.done = static_cast<double>(counter->done() - before) / std::chrono::duration<double>(plan.storm).count();
    result.after = co_await callers.call(ctx, kAfterRate, plan.after);
    result.recovered = recovery(result);
    co_return result;
  });
}

void print(const char* name, const Result& r) {
  std::printf("%-28s %9.0f %10.0f %9.0f %8.0f%% %7.0f %9.1f %9.1f %9.1f %7.1fx %9.2f %9.0f\n", name, r.storm.offered,
              r.storm.attempts, r.storm.goodput, 100 * r.storm.goodput / kCapacity, r.done, ms(r.quiet.served_at(0.5)),
              ms(r.storm.served_at(0.5)), ms(r.storm.served_at(0.99)),
              ms(r.storm.served_at(0.5)) / ms(r.quiet.served_at(0.5)), ms(r.recovered) / 1000, ms(r.storm.latest));
}

int judge(const Result& with, const Result& without, const Plan& plan) {
  if (std::min(with.storm.offered, without.storm.offered) < plan.rate / 2) {
    std::printf("the callers could not call half as often as they should: this machine is too busy to show anything\n");
    return 77;
  }
  if (with.storm.latest > kLate) {
    std::printf("calls were begun up to %.1f s late: this machine is too busy to show anything\n",
                ms(with.storm.latest) / 1000);
    return 77;
  }
  int broken = 0;
  auto expect = [&](bool kept, const char* promise) {
    std::printf("%s: %s\n", kept ? "kept" : "BROKEN", promise);
    broken += !kept;
  };
  expect(with.storm.goodput >= 0.8 * kCapacity, "goodput is at least 80 % of the capacity");
  expect(with.storm.served_at(0.95) <= 5 * with.quiet.served_at(0.5),
         "95 of 100 calls that are served take at most 5 times as long as when it is quiet");
  expect(with.recovered <= 5s, "within 5 s of its end all is as before");
  // The server's own count too, since callers that are busy with timeouts may be late to see an answer.
  expect(std::max(without.storm.goodput, without.done) < 0.4 * kCapacity,
         "with budgets and shedding off it is below 40 %");
  return broken ? 1 : 0;
}

int storm(const Plan& plan) {
  std::printf(
      "A server of %.0f calls a second, asked for %.0f a second for %.0f s by %zu callers that retry 3 times:\n\n",
      kCapacity, plan.rate, ms(plan.storm) / 1000, kCallers);
  std::printf("%-28s %9s %10s %9s %9s %7s %9s %9s %9s %8s %9s %9s\n", "", "offered/s", "attempts/s", "goodput/s",
              "of 800", "done/s", "quiet ms", "p50 ms", "p99 ms", "slower", "recovery", "late ms");
  const Result with = run_storm(plan, true);
  print("shedding and budgets on", with);
  const Result without = run_storm(plan, false);
  print("both off", without);
  std::printf("\n");
  return judge(with, without, plan);
}

// Where we may, before whatever else this machine does, as the benchmarks do: in a session of our own, whose share of
// the cores is the largest there is. A fork first, since who leads a group of processes cannot begin a session.
int in_front(const Plan& plan) {
  const pid_t child = fork();
  if (child < 0) return storm(plan);
  if (child > 0) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (std::FILE* share = std::fopen("/proc/self/autogroup", "w")) {
    std::fputs("-20", share);
    std::fclose(share);
  }
  const int result = storm(plan);
  std::fflush(stdout);
  _exit(result);
}

}  // namespace
}  // namespace duplex::storm

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  duplex::storm::Plan plan;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--short") == 0) {
      plan.storm = 8s;
      plan.quiet = 2s;
      plan.after = 6s;
    } else if (std::strcmp(argv[i], "--rate") == 0 && i + 1 < argc) {
      plan.rate = std::strtod(argv[++i], nullptr);
    } else {
      std::fprintf(stderr, "usage: storm [--short] [--rate CALLS-A-SECOND]\n");
      return 2;
    }
  }
  return duplex::storm::in_front(plan);
}
