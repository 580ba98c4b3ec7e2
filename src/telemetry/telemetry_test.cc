#include "duplex/telemetry/telemetry.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "duplex/runtime/run.h"
#include "duplex/runtime/wait.h"
#include "duplex/service/pipe.h"
#include "duplex/telemetry/log.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;

const std::string kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class LogFile {
 public:
  LogFile() {
    char name[] = "/tmp/duplex_telemetry_XXXXXX";
    fd_ = mkstemp(name);
    unlink(name);
  }
  ~LogFile() { close(fd_); }
  int fd() const { return fd_; }
  std::string text() const {
    std::string all(1 << 20, '\0');
    ssize_t n = pread(fd_, all.data(), all.size(), 0);
    all.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return all;
  }

 private:
  int fd_;
};

struct Bed {  // a Telemetry with all it needs
  explicit Bed(Telemetry::Options options = {}) : telemetry(registry, logger, options) {}
  LogFile file;
  LogSink sink{file.fd()};
  Logger logger{sink, "shop"};
  Registry registry;
  Telemetry telemetry;
  Method method{"/shop.v1.Orders/GetOrder", false, false};
};

template <class F>
std::shared_ptr<Service> handler(F f) {
  class Handler final : public Service {
   public:
    explicit Handler(F body) : body_(std::move(body)) {}
    Task<Outcome> call(Context& ctx, Call& c) override { return body_(ctx, c); }

   private:
    F body_;
  };
  return std::make_shared<Handler>(std::move(f));
}

Task<Outcome> call(Context& ctx, const Method& method, std::shared_ptr<Service> service, Metadata metadata = {}) {
  One in{Message()};
  Keep out;
  Call c(method, std::move(metadata), in, out);
  co_return co_await service->call(ctx, c);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Telemetry, ACallLeavesATraceASeriesAndALine) {
  Bed bed;
  TraceContext seen;
  auto service = bed.telemetry.server()(handler([&](Context& ctx, Call&) -> Task<Outcome> {
    seen = *ctx.find<TraceContext>();
    EXPECT_TRUE(has(bed.registry.render(), "duplex_server_calls_in_flight{rpc_method=\"shop.v1.Orders/GetOrder\"} 1"));
    log(ctx).info("looking", {{"order.id", 7}, {"authorization", "planted"}});
    log(ctx).debug("not shown");
    co_return Outcome(Status::not_found("no order \"7\"\n"));
  }));
  run([&](Context& root) -> Task<void> {
    Context ctx(root);
    Peer peer("10.0.0.7:51324", "grpc");
    ctx.put(peer);
    Metadata m;
    m.add("traceparent", kParent);
    m.add("tracestate", "a=1");
    Outcome o = co_await call(ctx, bed.method, service, m);
    EXPECT_EQ(o.status.code(), Code::kNotFound);
    EXPECT_FALSE(ctx.find<TraceContext>()->valid());  // it ended with the call
    EXPECT_EQ(bed.sink.writes(), 0u);
    co_await yield(ctx);
    co_await sleep(ctx, 1ms);
    EXPECT_EQ(bed.sink.writes(), 1u);  // both lines, at the end of the turn
  });
  EXPECT_EQ(seen.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(seen.parent_id.to_string(), "b7ad6b7169203331");
  EXPECT_EQ(seen.tracestate, "a=1");
  std::string text = bed.file.text(), span = seen.span_id.to_string();
  EXPECT_TRUE(has(text,
                  "\"message\":\"looking\",\"ecs.version\":\"8.11.0\",\"service.name\":\"shop\",\"trace.id\":\""
                  "0af7651916cd43dd8448eb211c80319c\",\"span.id\":\"" +
                      span +
                      "\",\"order.id\":7,\"authorization\":\""
                      "[redacted]\"}\n"))
      << text;
  EXPECT_TRUE(has(text,
                  "\"event.dataset\":\"duplex.access\",\"rpc.method\":\"shop.v1.Orders/GetOrder\",\"trace.id\":\""
                  "0af7651916cd43dd8448eb211c80319c\",\"span.id\":\"" +
                      span +
                      "\",\"parent.id\":\"b7ad6b7169203331\","
                      "\"rpc.status_code\":\"NOT_FOUND\",\"event.outcome\":\"failure\",\"event.duration\":"))
      << text;
  EXPECT_TRUE(has(text,
                  ",\"client.address\":\"10.0.0.7:51324\",\"network.protocol.name\":\"grpc\","
                  "\"error.message\":\"no order \\\"7\\\"\\n\"}\n"))
      << text;
  EXPECT_FALSE(has(text, "planted"));
  EXPECT_FALSE(has(text, "not shown"));
  std::string page = bed.registry.render();
  EXPECT_TRUE(has(page,
                  "rpc_server_call_duration_seconds_count{rpc_method=\"shop.v1.Orders/GetOrder\","
                  "rpc_status_code=\"NOT_FOUND\"} 1\n"))
      << page;
  EXPECT_TRUE(has(page, "duplex_server_calls_in_flight{rpc_method=\"shop.v1.Orders/GetOrder\"} 0\n"));
}

TEST(Telemetry, ABrokenTraceparentStartsATrace) {
  Bed bed;
  TraceContext seen;
  auto service = bed.telemetry.server()(handler([&](Context& ctx, Call&) -> Task<Outcome> {
    seen = *ctx.find<TraceContext>();
    co_return Outcome();
  }));
  run([&](Context& ctx) -> Task<void> {
    Metadata m;
    m.add("traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01");
    m.add("tracestate", "a=1");
    co_await call(ctx, bed.method, service, m);
  });
  EXPECT_TRUE(seen.valid());
  EXPECT_FALSE(seen.parent_id.valid());
  EXPECT_TRUE(seen.tracestate.empty());
}

TEST(Telemetry, ACallThatGoesOutCarriesAChildOfTheCallThatCameIn) {
  Bed bed;
  std::optional<TraceContext> sent;
  auto remote = bed.telemetry.client("stock")(handler([&](Context&, Call& c) -> Task<Outcome> {
    sent = TraceContext::of(c.metadata);
    EXPECT_TRUE(
        has(bed.registry.render(), "duplex_client_calls_in_flight{rpc_method=\"s.Stock/Take\",peer=\"stock\"} 1"));
    co_return Outcome(Status::unavailable("gone"));
  }));
  Method take("/s.Stock/Take", false, false);
  TraceContext mine;
  auto service = bed.telemetry.server()(handler([&](Context& ctx, Call&) -> Task<Outcome> {
    mine = *ctx.find<TraceContext>();
    Context child(ctx, 1s);
    co_return co_await call(child, take, remote);
  }));
  run([&](Context& ctx) -> Task<void> {
    Metadata m;
    m.add("traceparent", kParent);
    m.add("tracestate", "a=1");
    co_await call(ctx, bed.method, service, m);
  });
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->trace_id, mine.trace_id);
  EXPECT_NE(sent->span_id, mine.span_id);
  EXPECT_EQ(sent->tracestate, "a=1");
  EXPECT_TRUE(has(bed.registry.render(),
                  "rpc_client_call_duration_seconds_count{rpc_method=\"s.Stock/Take\",peer=\"stock\","
                  "rpc_status_code=\"UNAVAILABLE\"} 1\n"));
  EXPECT_TRUE(has(bed.file.text(), "\"log.level\":\"warn\""));  // UNAVAILABLE is the service's fault
}

TEST(Telemetry, WhatTookLongFallsIntoItsBucket) {
  Bed bed;
  auto service = bed.telemetry.server()(handler([](Context& ctx, Call&) -> Task<Outcome> {
    Status s = co_await sleep(ctx, 60ms);
    co_return Outcome(s);
  }));
  Loop::Options virtual_time;
  virtual_time.virtual_time = true;
  run([&](Context& ctx) -> Task<void> { co_await call(ctx, bed.method, service); }, virtual_time);
  std::string page = bed.registry.render();
  EXPECT_TRUE(has(page, "rpc_status_code=\"OK\",le=\"0.05\"} 0\n")) << page;
  EXPECT_TRUE(has(page, "rpc_status_code=\"OK\",le=\"0.075\"} 1\n")) << page;
}

TEST(Telemetry, ADeadlineIsCountedAsSuchWhateverTheHandlerSays) {
  Bed bed;
  auto service = bed.telemetry.server()(handler([](Context& ctx, Call&) -> Task<Outcome> {
    Status heard = co_await sleep(ctx, 10s);
    co_return Outcome();
  }));
  run([&](Context& root) -> Task<void> {
    Context ctx(root, 5ms);
    co_await call(ctx, bed.method, service);
  });
  EXPECT_TRUE(has(bed.registry.render(), "rpc_status_code=\"DEADLINE_EXCEEDED\"} 1\n"));
}

TEST(Telemetry, AReloadGoesOnCounting) {
  Bed bed;
  for (int i = 0; i < 2; ++i) {
    Method method("/a.B/C", false, false);  // of a chain that goes
    auto service = bed.telemetry.server()(handler([](Context&, Call&) -> Task<Outcome> { co_return Outcome(); }));
    run([&](Context& ctx) -> Task<void> { co_await call(ctx, method, service); });
  }
  EXPECT_TRUE(has(bed.registry.render(), "_count{rpc_method=\"a.B/C\",rpc_status_code=\"OK\"} 2\n"));
}

TEST(Telemetry, ALogOutsideOfCallsGoesWhereItIsAttached) {
  Bed bed;
  run([&](Context& ctx) -> Task<void> {
    bed.telemetry.attach(ctx);
    log(ctx).warn("started", {{"port", 8080}});
    Method method("/a.B/C", false, false);
    log_exception(ctx, method, "bad \x01 news");
    co_return;
  });
  LoopThread thread;
  std::atomic<bool> done{false};
  thread.spawn([&](Context& ctx) -> Task<void> {
    bed.telemetry.attach(ctx);
    log(ctx).info("from another loop");
    done = true;
    co_return;
  });
  while (!done) std::this_thread::yield();
  thread.stop();
  for (int i = 0; i < 100 && !has(bed.file.text(), "another"); ++i) std::this_thread::sleep_for(10ms);
  std::string text = bed.file.text();
  EXPECT_TRUE(has(text, "\"log.level\":\"warn\",\"message\":\"started\"")) << text;
  EXPECT_TRUE(has(text, "\"rpc.method\":\"/a.B/C\",\"error.message\":\"bad \\u0001 news\"}")) << text;
  EXPECT_TRUE(has(text, "from another loop"));
}

TEST(Telemetry, LinesOfABusyTimeWaitForOthers) {
  Telemetry::Options options;
  options.flush_after = 20ms;
  Bed bed(options);
  auto service = bed.telemetry.server()(handler([](Context&, Call&) -> Task<Outcome> { co_return Outcome(); }));
  Loop::Options virtual_time;
  virtual_time.virtual_time = true;
  run(
      [&](Context& ctx) -> Task<void> {
        for (int i = 0; i < 5; ++i) {
          co_await call(ctx, bed.method, service);
          co_await sleep(ctx, 1ms);
        }
        EXPECT_EQ(bed.sink.writes(), 1u);  // the first one's: it was quiet before
        co_await sleep(ctx, 40ms);
        EXPECT_EQ(bed.sink.writes(), 2u);
        bed.telemetry.attach(ctx);
        for (uint64_t i = 1; i < 4; ++i) {
          log(ctx).error("an error never waits");
          co_await sleep(ctx, 1ms);
          EXPECT_EQ(bed.sink.writes(), 2 + i);
        }
      },
      virtual_time);
}

TEST(Telemetry, ManyMethodsOnManyLoops) {
  Bed bed;
  std::vector<std::unique_ptr<Method>> methods;
  for (int i = 0; i < 700; ++i) methods.push_back(std::make_unique<Method>("/a.B/M" + std::to_string(i), false, false));
  auto service = bed.telemetry.server()(handler([](Context&, Call&) -> Task<Outcome> { co_return Outcome(); }));
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      run([&](Context& ctx) -> Task<void> {
        for (int round = 0; round < 2; ++round)
          for (auto& method : methods) co_await call(ctx, *method, service);
      });
    });
  for (int i = 0; i < 5; ++i) bed.registry.render();
  for (std::thread& thread : threads) thread.join();
  std::string page = bed.registry.render();
  EXPECT_TRUE(has(page, "_count{rpc_method=\"a.B/M0\",rpc_status_code=\"OK\"} 6\n"));
  EXPECT_TRUE(has(page, "_count{rpc_method=\"a.B/M699\",rpc_status_code=\"OK\"} 6\n"));
}

double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// What it all costs a call, beside the same call without it. A figure to look at, not a limit: CI machines differ.
TEST(TelemetryCost, IsPrinted) {
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  LogSink sink(null);
  Logger logger(sink, "shop");
  Registry registry;
  Telemetry telemetry(registry, logger);
  Method method("/shop.v1.Orders/GetOrder", false, false);
  auto bare = handler([](Context&, Call&) { return Task<Outcome>::ready(Outcome()); });
  auto served = telemetry.server()(bare);
  auto called = telemetry.client("stock")(bare);
  constexpr int kTurns = 500, kCalls = 100;
  auto measure = [&](std::shared_ptr<Service> service, const char* traceparent, const char* name) {
    double start = cpu_ns();
    run([&](Context& root) -> Task<void> {
      Peer peer("10.0.0.7:51324", "grpc");
      for (int turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < kCalls; ++i) {
          Context ctx(root);
          ctx.put(peer);
          One in{Message()};
          Keep out;
          Metadata metadata;
          metadata.add("user-agent", "test");
          if (traceparent) metadata.add("traceparent", traceparent);
          Call c(method, std::move(metadata), in, out);
          co_await service->call(ctx, c);
        }
        if (turn % 10 == 0)
          co_await sleep(root, Duration(1));
        else
          co_await yield(root);
      }
    });
    double ns = (cpu_ns() - start) / (kTurns * kCalls);
    std::printf("%-32s %7.1f ns a call\n", name, ns);
  };
  for (int round = 0; round < 2; ++round) {
    measure(bare, kParent.c_str(), "bare");
    measure(served, kParent.c_str(), "server, with a traceparent");
    measure(served, nullptr, "server, a new trace");
    measure(called, nullptr, "client");
    logger.set_level(LogLevel::kError);
    measure(served, kParent.c_str(), "server, no access line");
    logger.set_level(LogLevel::kInfo);
  }
  close(null);
}

}  // namespace
}  // namespace duplex
