// How many attempts reach an origin that fails every one of them, for each call that somebody makes: one hop away and
// three, with retry budgets and without. Each hop and each origin is a process of its own, with the retries that a
// configuration has by default.
//
//   amplification [--seconds N] [--rate N]
//
// Exit status 1: a promise is not kept; 77: the calls could not be made as often as they should, so nothing was shown.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duplex/app/client.h"
#include "duplex/app/server.h"
#include "duplex/protocols/http_client.h"
#include "duplex/runtime/run.h"
#include "talk.duplex.h"

namespace duplex::storm {
namespace {

using namespace std::chrono_literals;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::TalkClient;

constexpr double kAllowed = 1.2, kAllowedOfThree = 1.75;
constexpr double kLeastRate = 0.7;  // of what was asked for

std::shared_ptr<Client> retrying(const std::string& address, bool budgets) {
  Client::Settings settings{.name = "next", .address = address};
  resilience::RetrySettings& retry = settings.policy.retry.emplace();
  retry.idempotent = resilience::Repeat::kAlways;
  if (!budgets) retry.budget = {.ratio = 10, .floor = 1e6};
  return std::make_shared<Client>(settings);
}

// Fails, or asks the next one if there is one.
class Station final : public talk::v1::TalkBase {
 public:
  explicit Station(std::shared_ptr<Client> next) {
    if (next) next_.emplace(std::move(next));
  }
  Task<Result<SayReply>> say(Context& ctx, const SayRequest& request) override {
    ++calls_;
    if (next_) co_return co_await next_->say(ctx, request);
    co_return Status::unavailable("down");
  }
  Task<Status> count(Context&, const talk::v1::CountRequest&, Writer<talk::v1::Number>&) override {
    co_return Status::unimplemented("not here");
  }
  Task<Result<talk::v1::Sum>> add(Context&, Reader<talk::v1::Number>&) override {
    co_return Status::unimplemented("not here");
  }
  Task<Status> chat(Context&, Reader<talk::v1::Number>&, Writer<talk::v1::Number>&) override {
    co_return Status::unimplemented("not here");
  }
  Task<Outcome> tell(Context& ctx, Call& c) {
    Message number(Bytes::copy(std::to_string(calls_.load())), Format::kOpaque);
    co_return co_await c.out->write(ctx, std::move(number));
  }

 private:
  std::optional<TalkClient> next_;
  std::atomic<int64_t> calls_{0};
};

// A process that serves, asking `next` if it is not empty; ends with this one.
class Process {
 public:
  Process(const std::string& next, bool budgets) {
    int ends[2];
    if (::pipe(ends) != 0) std::exit(2);
    pid_ = ::fork();
    if (pid_ == 0) serve(next, budgets, ends[1]);
    ::close(ends[1]);
    char text[100];
    const ssize_t size = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    if (size <= 0) std::exit(2);
    address_.assign(text, static_cast<size_t>(size));
  }
  Process(const Process&) = delete;
  ~Process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  const std::string& address() const { return address_; }

 private:
  [[noreturn]] static void serve(const std::string& next, bool budgets, int tell) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Server::Settings settings;
    settings.log_file = "/dev/null";
    settings.access_log = false;
    settings.loops = 1;
    Server server(settings);
    auto station = std::make_shared<Station>(next.empty() ? nullptr : retrying(next, budgets));
    server.listen("127.0.0.1:0").serve(station);
    server.route("GET /calls", [&](Context& ctx, Call& c) { return station->tell(ctx, c); });
    if (Status s = server.start(); !s.is_ok()) {
      std::fprintf(stderr, "amplification: %s\n", s.to_string().c_str());
      ::_exit(2);
    }
    const std::string address = server.addresses()[0];
    if (::write(tell, address.data(), address.size()) < 0) ::_exit(2);
    for (;;) ::pause();
  }
  pid_t pid_ = -1;
  std::string address_;
};

// An origin, and hops before it; the caller is the last of them.
class Row {
 public:
  Row(int hops, bool budgets) : hops_(hops), budgets_(budgets) {
    std::string next;
    for (int i = 0; i < hops; ++i) {
      stations_.push_back(std::make_unique<Process>(next, budgets));
      next = stations_.back()->address();
    }
  }
  // After all processes are there, since a process with threads is not forked.
  void begin() { first_ = retrying(stations_.back()->address(), budgets_); }

  Task<void> call(Context& ctx) {
    SayRequest request;
    TalkClient client(first_);
    static_cast<void>(co_await client.say(ctx, request));
    ++calls_;
  }
  Task<void> ask(Context& ctx) {
    Client origin(Client::Settings{.name = "origin", .address = stations_[0]->address(), .protocol = Protocol::kRest});
    const plain::Request request("GET", "/calls");
    Result<plain::Answer> answer = co_await plain::fetch(origin, ctx, request);
    if (answer) at_origin_ = std::strtod(std::string(answer->body.view()).c_str(), nullptr);
  }
  double amplification() const { return calls_ > 0 ? at_origin_ / static_cast<double>(calls_) : 0; }
  void print() const {
    std::printf("%d %-5s budgets %-4s %8zu calls %9.0f attempts at the origin %8.3f a call\n", hops_,
                hops_ == 1 ? "hop," : "hops,", budgets_ ? "on" : "off", calls_, at_origin_, amplification());
  }

 private:
  const int hops_;
  const bool budgets_;
  std::vector<std::unique_ptr<Process>> stations_;  // the origin first
  std::shared_ptr<Client> first_;
  size_t calls_ = 0;
  double at_origin_ = 0;
};

// The calls a second that it came to.
Task<double> call_all(Context& ctx, std::vector<std::unique_ptr<Row>>& rows, Duration span, double rate) {
  Scope scope(ctx);
  const Duration gap(static_cast<int64_t>(1e9 / rate));
  const Time began = Clock::now(), end = began + span;
  int64_t made = 0;
  for (Time due = began; due < end; due += gap) {
    static_cast<void>(co_await sleep_until(ctx, due));
    ++made;
    for (auto& row : rows) scope.spawn([&row](Context& c) { return row->call(c); });
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  co_await scope.join();
  for (auto& row : rows) co_await row->ask(ctx);
  co_return static_cast<double>(made) / seconds;
}

int amplification(Duration span, double rate) {
  std::vector<std::unique_ptr<Row>> rows;
  for (int hops : {1, 3})
    for (bool budgets : {true, false}) rows.push_back(std::make_unique<Row>(hops, budgets));
  for (auto& row : rows) row->begin();
  std::printf(
      "An origin that is down, called %.0f times a second for %.0f s; each hop is a process, and retries twice:\n",
      rate, std::chrono::duration<double>(span).count());
  const double came_to = run([&](Context& ctx) -> Task<double> { return call_all(ctx, rows, span, rate); });
  for (auto& row : rows) row->print();
  if (came_to < kLeastRate * rate) {  // of few calls the budget's floor is more than its share
    std::printf("only %.0f calls a second could be made: this machine is too busy to show anything\n", came_to);
    return 77;
  }
  int broken = 0;
  auto expect = [&](bool kept, const char* promise) {
    std::printf("%s: %s\n", kept ? "kept" : "BROKEN", promise);
    broken += !kept;
  };
  expect(rows[0]->amplification() >= 1 && rows[0]->amplification() <= kAllowed, "at most 1.2 attempts a call");
  expect(rows[2]->amplification() >= 1 && rows[2]->amplification() <= kAllowedOfThree, "at most 1.75 after three hops");
  // 3 and 27, but for calls whose deadline passes before.
  expect(rows[1]->amplification() > 2 && rows[3]->amplification() > 10, "without budgets more than 2 and 10");
  return broken ? 1 : 0;
}

}  // namespace
}  // namespace duplex::storm

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  double seconds = 20, rate = 100;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
      seconds = std::strtod(argv[++i], nullptr);
    } else if (std::strcmp(argv[i], "--rate") == 0 && i + 1 < argc) {
      rate = std::strtod(argv[++i], nullptr);
    } else {
      std::fprintf(stderr, "usage: amplification [--seconds N] [--rate CALLS-A-SECOND]\n");
      return 2;
    }
  }
  return duplex::storm::amplification(duplex::Duration(static_cast<int64_t>(seconds * 1e9)), rate);
}
