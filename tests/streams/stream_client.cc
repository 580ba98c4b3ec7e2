// The client of stream_test.py, one thing a run:
//   stream_client ADDRESS count|add|chat OCTETS MESSAGE   that many octets in messages of that size, one way or both
//   stream_client ADDRESS held                            readers that stop
//   stream_client ADDRESS stop PID                        SIGTERM to the server with calls and streams open
//   stream_client ADDRESS stop-endless PID                the same with a stream that never ends by itself
// Exits with 0 if all held, else says what did not; prints how many calls were answered and its peak memory.
#include <signal.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "peer_calls.h"

namespace talk::v1 {
namespace {

using duplex::CallOptions;
using duplex::Code;
using duplex::Context;
using duplex::Notifier;
using duplex::Reader;
using duplex::Result;
using duplex::Scope;
using duplex::Status;
using duplex::Task;
using duplex::Writer;

// Peak resident memory of this process, in kB.
long peak() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmHWM:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  return -1;
}

class Streams {
 public:
  explicit Streams(std::shared_ptr<duplex::Client> peer) : client_(peer) {}

  Task<void> one(Context& ctx, const std::string& kind, int64_t octets, size_t size) {
    const int64_t messages = octets / static_cast<int64_t>(size);
    if (kind == "count") {
      CountRequest request;
      request.set_to(messages);
      request.set_padding(static_cast<int32_t>(size));
      int64_t got = 0;
      Status s = co_await client_.count(
          ctx, request, [&](Context& c, Reader<Number>& in) { return read_all(c, in, messages, size, got); });
      checks.expect_ok(s, "count");
      checks.expect(got == messages, "came: " + std::to_string(got) + " of " + std::to_string(messages));
    } else if (kind == "add") {
      Result<Sum> sum =
          co_await client_.add(ctx, [&](Context& c, Writer<Number>& out) { return write_all(c, out, messages, size); });
      checks.expect_ok(sum.error(), "add");
      if (sum) checks.expect(sum->count() == messages, "came: " + std::to_string(sum->count()));
    } else {
      int64_t got = 0;
      Status s = co_await client_.chat(ctx, [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
        auto reading = [&](Context& child) { return read_all(child, in, messages, size, got, 1); };
        auto writing = [&](Context& child) -> Task<Status> {
          Status w = co_await write_all(child, out, messages, size, 1);
          out.finish();
          co_return w;
        };
        Status both = co_await duplex::both(c, reading, writing);
        co_return both;
      });
      checks.expect_ok(s, "chat");
      checks.expect(got == messages, "came: " + std::to_string(got) + " of " + std::to_string(messages));
    }
  }

  // A reader that stops: of a server stream, and of both halves of a bidirectional one. What its writer may be ahead
  // is what flow control's windows and one write's worth hold; the rest of the connection goes on meanwhile.
  Task<void> held_server_stream(Context& ctx) {
    constexpr int64_t kAll = 20'000;
    CountRequest request;
    request.set_to(kAll);
    request.set_padding(kKilo);
    int64_t got = 0;
    Status s = co_await client_.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      auto first = co_await in.next(c);
      if (!first) co_return first.error();
      const int64_t ahead = co_await others_go_on(c);
      std::printf("       a writer whose reader has stopped is %" PRId64 " messages of 1 KB ahead\n", ahead - 1);
      checks.expect(ahead >= 1 && ahead <= kHeldMessages, "its writer wrote " + std::to_string(ahead));
      Status rest = co_await read_all(c, in, kAll - 1, kKilo, got, 1);
      co_return rest;
    });
    checks.expect_ok(s, "the stream, read on");
    checks.expect(got == kAll - 1, "came after the stop: " + std::to_string(got));
  }

  Task<void> held_bidi_stream(Context& ctx) {
    constexpr int64_t kAll = 20'000;
    int64_t got = 0, sent = 0;
    Status s = co_await client_.chat(ctx, [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      Context mine(c);
      Scope scope(mine);
      Status wrote;
      scope.spawn([&](Context& child) -> Task<void> {
        for (sent = 0; sent < kAll; ++sent) {
          wrote = co_await out.write(child, number(sent + 1, kKilo));
          if (!wrote.is_ok()) co_return;
        }
        out.finish();
      });
      static_cast<void>(co_await others_go_on(c));
      std::printf("       a writer whose echoes nobody reads is %" PRId64 " messages of 1 KB ahead\n", sent);
      checks.expect(sent >= 1 && sent <= 2 * kHeldMessages, "the writer wrote " + std::to_string(sent));
      Status rest = co_await read_all(c, in, kAll, kKilo, got, 1);
      if (!rest.is_ok()) scope.cancel(rest);
      co_await scope.join();
      co_return rest.is_ok() ? wrote : rest;
    });
    checks.expect_ok(s, "the stream, read on");
    checks.expect(got == kAll, "echoes: " + std::to_string(got));
  }

  // SIGTERM while callers call without a pause, calls are in their handlers and streams of each kind are half way.
  Task<void> stop(Context& ctx, pid_t server) {
    Scope scope(ctx);
    Notifier changed;
    bool told = false;  // the signal is sent
    int ready = 0, streams_done = 0;
    auto wait_told = [&](Context& c) -> Task<Status> {
      ++ready;
      changed.notify_all();
      Status s;
      while (s.is_ok() && !told) s = co_await changed.wait(c);
      co_return s;
    };
    // Calls in their handlers when the signal comes.
    constexpr int kSlow = 40;
    int slow = 0;
    for (int i = 0; i < kSlow; ++i)
      scope.spawn([&](Context& c) -> Task<void> {
        SayRequest request = say_request("slow");
        CallOptions options(std::chrono::seconds(60));
        options.metadata.add("x-hold", "3");  // until the three streams have ended, which is after the signal
        Result<SayReply> r = co_await client_.say(c, request, options);
        checks.expect_ok(r.error(), "a call that was in its handler");
        slow += r.has_value();
      });
    // Callers without a pause, until the server takes no more.
    constexpr int kCallers = 20;
    int refused = 0;
    for (int i = 0; i < kCallers; ++i)
      scope.spawn([&](Context& c) -> Task<void> {
        SayRequest request = say_request("quick");
        for (;;) {
          Result<SayReply> r = co_await client_.say(c, request);
          if (r) continue;
          checks.expect_code(r.error(), Code::kUnavailable);
          ++refused;
          break;
        }
      });
    // Streams half way.
    scope.spawn([&](Context& c) -> Task<void> {
      CountRequest request;
      request.set_to(5000);
      request.set_padding(kKilo);
      int64_t got = 0;
      Status s = co_await client_.count(c, request, [&](Context& b, Reader<Number>& in) -> Task<Status> {
        auto first = co_await in.next(b);
        if (!first) co_return first.error();
        Status w = co_await wait_told(b);
        if (!w.is_ok()) co_return w;
        w = co_await read_all(b, in, 4999, kKilo, got, 1);
        co_return w;
      });
      checks.expect_ok(s, "the server stream");
      checks.expect(got == 4999, "the server stream's messages: " + std::to_string(got));
      ++streams_done;
    });
    scope.spawn([&](Context& c) -> Task<void> {
      Result<Sum> sum = co_await client_.add(c, [&](Context& b, Writer<Number>& out) -> Task<Status> {
        Status w = co_await write_all(b, out, 100, kKilo);
        if (!w.is_ok()) co_return w;
        w = co_await wait_told(b);
        if (!w.is_ok()) co_return w;
        w = co_await write_all(b, out, 4900, kKilo);
        co_return w;
      });
      checks.expect_ok(sum.error(), "the client stream");
      if (sum) checks.expect(sum->count() == 5000, "the client stream's messages: " + std::to_string(sum->count()));
      ++streams_done;
    });
    scope.spawn([&](Context& c) -> Task<void> {
      Status s = co_await client_.chat(c, [&](Context& b, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
        Status w = co_await echoes(b, in, out, 10);
        if (!w.is_ok()) co_return w;
        w = co_await wait_told(b);
        if (!w.is_ok()) co_return w;
        w = co_await echoes(b, in, out, 1000);
        if (!w.is_ok()) co_return w;
        out.finish();
        auto end = co_await in.next(b);  // leaving before the end would cancel the call
        co_return end.error();
      });
      checks.expect_ok(s, "the bidirectional stream");
      ++streams_done;
    });
    // All are under way: the streams here say so, the slow calls the server.
    Status s;
    while (s.is_ok() && ready < 3) s = co_await changed.wait(ctx);
    bool all = co_await peer_count_reaches(ctx, client_, "x-held", kSlow);
    checks.expect(all, "not all calls were in their handlers");
    all = co_await peer_count_reaches(ctx, client_, "x-running", 3);
    checks.expect(all, "not all streams were in their handlers");
    checks.expect(slow == 0, "the slow calls were over before the signal");
    ::kill(server, SIGTERM);
    told = true;
    changed.notify_all();
    co_await scope.join();
    checks.expect(slow == kSlow, "slow calls answered: " + std::to_string(slow));
    checks.expect(streams_done == 3, "streams that ended well: " + std::to_string(streams_done));
    checks.expect(refused == kCallers, "callers that were told: " + std::to_string(refused));
  }

  Task<void> stop_endless(Context& ctx, pid_t server) {
    Status s = co_await client_.chat(ctx, [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      Status w = co_await echoes(c, in, out, 10);
      if (!w.is_ok()) co_return w;
      ::kill(server, SIGTERM);
      auto n = co_await in.next(c);  // nothing more comes
      if (!n) co_return n.error();
      co_return Status::ok();
    });
    checks.expect_code(s, Code::kUnavailable);
  }

  Checks checks;

 private:
  static constexpr size_t kKilo = 1000;
  // 1 MiB of stream window, and twice over for what sockets, pipes and the half-sent write hold.
  static constexpr int64_t kHeldMessages = 3 * 1024 * 1024 / kKilo;

  static Task<Status> read_all(Context& c, Reader<Number>& in, int64_t messages, size_t size, int64_t& got,
                               int64_t first = 0) {
    for (got = 0; got < messages; ++got) {
      auto n = co_await in.next(c);
      if (!n) co_return n.error();
      if (!*n) co_return Status::internal("the stream ends after " + std::to_string(got));
      if ((*n)->value() != got + first || (*n)->padding().size() != size)
        co_return Status::internal("out of order at " + std::to_string(got));
    }
    auto end = co_await in.next(c);
    if (!end) co_return end.error();
    co_return *end ? Status::internal("more than was asked for") : Status();
  }

  static Task<Status> write_all(Context& c, Writer<Number>& out, int64_t messages, size_t size, int64_t first = 0) {
    Number n = number(0, size);
    for (int64_t i = 0; i < messages; ++i) {
      n.set_value(i + first);
      Status s = co_await out.write(c, n);
      if (!s.is_ok()) co_return s;
    }
    co_return Status::ok();
  }

  static Task<Status> echoes(Context& c, Reader<Number>& in, Writer<Number>& out, int64_t times) {
    for (int64_t i = 1; i <= times; ++i) {
      Status s = co_await out.write(c, number(i, kKilo));
      if (!s.is_ok()) co_return s;
      auto n = co_await in.next(c);
      if (!n) co_return n.error();
      if (!*n || (*n)->value() != i) co_return Status::internal("no echo of " + std::to_string(i));
    }
    co_return Status::ok();
  }

  // On the same connection: a stream of 64 MiB and 300 calls. How many messages the server had written to streams
  // other than that one when they were over.
  Task<int64_t> others_go_on(Context& ctx) {
    constexpr int64_t kMany = 4096;
    CountRequest request;
    request.set_to(kMany);
    request.set_padding(16 << 10);
    int64_t got = 0;
    Status s = co_await client_.count(
        ctx, request, [&](Context& c, Reader<Number>& in) { return read_all(c, in, kMany, 16 << 10, got); });
    checks.expect_ok(s, "another stream of the connection");
    others_ += kMany;
    int64_t written = -1;
    for (int i = 0; i < 300; ++i) {
      written = co_await peer_count(ctx, client_, "x-written");
      if (written < 0) break;
    }
    checks.expect(written >= 0, "calls of the connection do not go on");
    co_return written - others_;
  }

  TalkClient client_;
  int64_t others_ = 0;
};

}  // namespace
}  // namespace talk::v1

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: stream_client ADDRESS count|add|chat|held|stop|stop-endless ...\n");
    return 2;
  }
  using duplex::Context;
  using talk::v1::Checks;
  duplex::Client::Settings settings{.name = "talk", .address = argv[1]};
  settings.pool.max_connections = 1;
  auto peer = std::make_shared<duplex::Client>(settings);
  int64_t answered = 0;  // by the server itself, whatever the status
  auto count = [&](Context& ctx, duplex::Call& call, duplex::Service& next) -> duplex::Task<duplex::Outcome> {
    duplex::Outcome outcome = co_await next.call(ctx, call);
    answered += outcome.trailers.find("x-accepted").has_value();
    co_return outcome;
  };
  peer->use(duplex::filter(count));
  talk::v1::Streams streams(peer);
  const std::string what = argv[2];
  duplex::run([&](Context& ctx) -> duplex::Task<void> {
    if (what == "held") {
      Checks::Check server = [&](Context& c) { return streams.held_server_stream(c); };
      co_await streams.checks.run(ctx, "a server stream whose reader stops", server);
      Checks::Check bidi = [&](Context& c) { return streams.held_bidi_stream(c); };
      co_await streams.checks.run(ctx, "a bidirectional stream whose reader stops", bidi);
    } else if (what == "stop" && argc > 3) {
      Checks::Check stop = [&](Context& c) { return streams.stop(c, std::atoi(argv[3])); };
      co_await streams.checks.run(ctx, "a stop with calls and streams open", stop);
    } else if (what == "stop-endless" && argc > 3) {
      Checks::Check stop = [&](Context& c) { return streams.stop_endless(c, std::atoi(argv[3])); };
      co_await streams.checks.run(ctx, "a stop with an endless stream open", stop);
    } else if (argc > 4) {
      co_await streams.one(ctx, what, std::atoll(argv[3]), std::strtoul(argv[4], nullptr, 10));
    } else {
      streams.checks.expect(false, "what is " + what + "?");
    }
  });
  std::printf("answered %" PRId64 "\npeak %ld kB\n", answered, talk::v1::peak());
  return streams.checks.failed() == 0 ? 0 : 1;
}
