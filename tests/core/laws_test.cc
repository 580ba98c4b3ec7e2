// The ten laws of service.h, each with a test that is named after it; the fifth, of credit, has its own file. Where a
// law speaks of the wire, a peer of plain nghttp2 looks at the frames.
#include <unistd.h>

#include <fstream>
#include <thread>

#include "duplex/runtime/channel.h"
#include "duplex/service/pipe.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

// ---- law 1 ----

TEST(Laws, Law1_EveryWaitHearsItsContext) {
  run(
      [](Context& ctx) -> Task<void> {
        Pipe pipe, full;
        Status filled = co_await full.write(ctx, text("x"));
        EXPECT_TRUE(filled.is_ok());
        Channel<int> empty(1), crowded(1);
        EXPECT_TRUE(crowded.try_send(1));
        Notifier notifier;
        Signal signal;
        std::vector<std::function<Task<Status>(Context&)>> waits = {
            [&](Context& c) -> Task<Status> { co_return (co_await pipe.next(c)).error(); },
            [&](Context& c) -> Task<Status> { co_return co_await pipe.wait_head(c); },
            [&](Context& c) -> Task<Status> { co_return co_await full.write(c, text("y")); },
            [&](Context& c) -> Task<Status> { co_return (co_await empty.receive(c)).error(); },
            [&](Context& c) -> Task<Status> { co_return co_await crowded.send(c, 2); },
            [&](Context& c) -> Task<Status> { co_return co_await notifier.wait(c); },
            [&](Context& c) -> Task<Status> { co_return co_await signal.changed(c, signal.version()); },
            [&](Context& c) -> Task<Status> { co_return co_await sleep(c, 1h); },
        };
        for (size_t i = 0; i < waits.size(); ++i) {
          Context late(ctx, 1s);
          Time start = ctx.loop().now();
          EXPECT_EQ((co_await waits[i](late)).code(), Code::kDeadlineExceeded) << i;
          EXPECT_LE(ctx.loop().now() - start, 2s) << i;
          Context gone(ctx);
          gone.cancel(Status::aborted("already"));
          EXPECT_EQ((co_await waits[i](gone)).code(), Code::kAborted) << i;
          Context parent(ctx);
          Context child(parent);
          Scope scope(ctx);
          scope.spawn([&](Context& c) -> Task<void> {
            Status slept = co_await sleep(c, 1s);
            EXPECT_TRUE(slept.is_ok());
            parent.cancel(Status::unavailable("from above"));
          });
          EXPECT_EQ((co_await waits[i](child)).code(), Code::kUnavailable) << i;
          co_await scope.join();
        }
      },
      kVirtual);
}

// A REST body that has come in part is there for who asks again.
TEST(Laws, Law1_ACancelledNextOfARestBodyTookNothing) {
  std::atomic<bool> gave_up{false};
  auto service = std::make_shared<talk::v1::TalkService>();
  Server server(talk::v1::Pair::quiet());
  server.listen("127.0.0.1:0").serve(service).use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    Context brief(ctx);
    Scope scope(ctx);
    scope.spawn([&](Context& mine) -> Task<void> {
      static_cast<void>(co_await sleep(mine, 20ms));  // the first half is there by now, or it is read in one
      brief.cancel(Status::aborted("no longer"));
    });
    NextResult none = co_await c.in->next(brief);
    co_await scope.join();
    EXPECT_EQ(none.error().code(), Code::kAborted);
    gave_up = true;
    co_return co_await next.call(ctx, c);
  }));
  Status started = server.start();
  ASSERT_TRUE(started.is_ok());
  Peer1 peer(server.addresses()[0]);
  peer.send(
      "POST /v1/say HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{\"name\"");
  while (!gave_up) std::this_thread::yield();
  peer.send(":\"Ada\"}");
  EXPECT_TRUE(has(peer.read_answer(), "hello Ada"));
}

TEST(Laws, Law1_ACancelledNextTookNothing) {
  std::atomic<int> timeouts{0};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    {
      Context hurried(ctx, 10ms);
      NextResult m = co_await c.in->next(hurried);
      timeouts += !m && m.error().code() == Code::kDeadlineExceeded;
    }
    {
      Context gone(ctx);
      gone.cancel(Status::cancelled("x"));
      NextResult m = co_await c.in->next(gone);
      timeouts += !m && m.error().code() == Code::kCancelled;
    }
    for (;;) {
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) co_return Status();
      Message reply = std::move(**m);
      Status s = co_await c.out->write(ctx, reply);
      if (!s.is_ok()) co_return s;
    }
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request("", false);
  peer.flush();
  EXPECT_TRUE(soon([&] { return timeouts == 2; }));
  peer.send_more(id, framed("first") + framed("second"), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->data, framed("first") + framed("second"));
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "0");
}

TEST(Laws, Law1_AWriteThatWaitsForRoomHearsItsContext) {
  std::atomic<int> heard{0};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    Context hurried(ctx, 50ms);
    for (;;) {
      Status s = co_await c.out->write(hurried, text(std::string(10'000, 'x')));
      if (s.is_ok()) continue;
      heard += s.code() == Code::kDeadlineExceeded;
      co_return Status::aborted("no room");
    }
  });
  Peer2 peer(wire.peer_fd, false);
  int32_t id = peer.request(framed(""), true);
  EXPECT_TRUE(peer.until([&] { return heard == 1; }));
  EXPECT_LE(peer.streams[id]->data.size(), 65'535u);
}

// ---- law 2 ----

TEST(Laws, Law2_AUnaryAnswerThatIsOkIsOneWrite) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("hello"), true);
  peer.flush();
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS", "DATA", "HEADERS+END"}));
  int writes = 0;
  for (auto& packet : peer.packets)
    writes += std::any_of(packet.begin(), packet.end(), [](auto& f) { return f.starts_with("1:"); });
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(peer.streams[id]->data, framed("hello"));
}

TEST(Laws, Law2_NothingOfAUnaryAnswerLeavesBeforeItsOutcome) {
  Signal release;
  std::atomic<bool> written{false};
  Wire wire(false, [&](Context& ctx, Call& c) -> Task<Outcome> {
    uint64_t seen = release.version();
    Metadata head;
    head.add("x-early", "1");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await c.out->write(ctx, text("early"));
    if (!s.is_ok()) co_return s;
    written = true;
    s = co_await release.changed(ctx, seen);
    co_return s;
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("x"), true);
  ASSERT_TRUE(peer.until([&] { return written.load(); }));
  peer.settle();
  EXPECT_TRUE(peer.streams[id]->frames.empty());
  release.notify();
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->fields["x-early"], "1");
  EXPECT_EQ(peer.streams[id]->data, framed("early"));
}

TEST(Laws, Law2_ANotOkOutcomeDiscardsHeadAndMessage) {
  Wire wire(false, [&](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head, trailers;
    head.add("x-early", "1");
    trailers.add("x-late", "1");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await c.out->write(ctx, text("early"));
    if (!s.is_ok()) co_return s;
    co_return Outcome(Status::not_found("none"), trailers);
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("x"), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS+END"}));  // trailers only
  EXPECT_EQ(peer.streams[id]->fields.count("x-early"), 0u);
  EXPECT_EQ(peer.streams[id]->fields["x-late"], "1");
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "5");
  EXPECT_EQ(peer.streams[id]->data, "");
}

// ---- law 3 ----

TEST(Laws, Law3_TheHeadLeavesWithNoMessageBehindIt) {
  std::atomic<bool> cancelled{false};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head;
    head.add("x-early", "1");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await sleep(ctx, 1h);
    cancelled = true;
    co_return s;
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request("", false);
  ASSERT_TRUE(peer.until([&] { return !peer.streams[id]->frames.empty(); }));
  EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS"}));
  EXPECT_EQ(peer.streams[id]->fields["x-early"], "1");
  peer.cancel(id);
  peer.flush();
  EXPECT_TRUE(soon([&] { return cancelled.load(); }));
}

TEST(Laws, Law3_AWriteIsTakenAtOnceWhileLessThan64KiBAreUnsent) {
  std::atomic<int> at_once{-1}, first{-1};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    int n = 0;
    for (;; ++n) {  // within one turn: nothing is sent meanwhile
      Task<Status> written = c.out->write(ctx, text(std::string(1024 - 5, 'x')));
      if (!written.has_value()) {
        Status s = co_await std::move(written);
        if (!s.is_ok()) co_return s;
        break;
      }
    }
    at_once = n;
    co_return Status();
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request("", true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(at_once, 64);
  EXPECT_EQ(peer.streams[id]->data.size(), 65u * 1024);

  Wire large(
      true,
      [&](Context& ctx, Call& c) -> Task<Outcome> {
        Task<Status> written = c.out->write(ctx, text(std::string(1 << 20, 'x')));
        first = written.has_value();
        co_return co_await std::move(written);
      },
      SOCK_STREAM);
  Peer2 other(large.peer_fd);
  id = other.request("", true);
  ASSERT_TRUE(other.until_closed(id));
  EXPECT_EQ(first, 1);  // a first write never suspends, however large
  EXPECT_EQ(other.streams[id]->data.size(), (1u << 20) + 5);
}

// ---- law 4 ----

TEST(Laws, Law4_WhatCameWithTheHeadIsThereAndACallThatDoesNotWaitIsNeverResumed) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("hello"), true);
  peer.flush();  // head and message in one packet
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_TRUE(wire.whole_at_start);
  EXPECT_EQ(wire.progress_at_start, wire.progress_at_end);  // the loop has resumed nothing in between

  id = peer.request(std::string(framed("hello"), 0, 3), false);
  peer.flush();
  peer.settle();
  peer.send_more(id, framed("hello").substr(3), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_FALSE(wire.whole_at_start);
  EXPECT_NE(wire.progress_at_start, wire.progress_at_end);
  EXPECT_EQ(peer.streams[id]->data, framed("hello"));
}

// ---- law 6 ----

TEST(Laws, Law6_TheBatchIsParsedBeforeAnyCallStartsAndAnsweredInOneWrite) {
  std::atomic<int> served{0}, whole{0};
  Wire wire(false, [&](Context& ctx, Call& c) -> Task<Outcome> {
    ++served;
    Task<NextResult> next = c.in->next(ctx);
    whole += next.has_value();  // its DATA stands behind the HEADERS of all others in the packet
    NextResult m = co_await std::move(next);
    if (!m) co_return m.error();
    Message reply = std::move(**m);
    co_return co_await c.out->write(ctx, reply);
  });
  Peer2 peer(wire.peer_fd);
  size_t before = peer.packets.size();
  std::vector<int32_t> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(peer.request(framed("n" + std::to_string(i)), true));
  peer.flush();
  for (int32_t id : ids) ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(served, 50);
  EXPECT_EQ(whole, 50);
  int writes = 0;
  for (size_t i = before; i < peer.packets.size(); ++i) {
    auto& p = peer.packets[i];
    writes += std::any_of(p.begin(), p.end(), [](auto& f) { return f.find("HEADERS") != f.npos; });
  }
  EXPECT_EQ(writes, 1);
}

// ---- law 7 ----

TEST(Laws, Law7_NothingIsResumedInline) {
  run([&](Context& ctx) -> Task<void> {
    int resumed = 0;
    Context own(ctx);
    Scope scope(own);
    Pipe pipe;
    Notifier notifier;
    Signal signal;
    Channel<int> channel(1);
    auto spawn = [&](auto wait) {
      scope.spawn([&resumed, wait](Context& c) -> Task<void> {
        co_await wait(c);
        ++resumed;
      });
    };
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await pipe.next(c)); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await notifier.wait(c)); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await signal.changed(c, signal.version())); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await channel.receive(c)); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await sleep(c, 1h)); });
    spawn([&](Context& c) -> Task<void> {
      Context child(c);
      Scope inner(child);
      inner.spawn([](Context& k) -> Task<void> { static_cast<void>(co_await sleep(k, 1h)); });
      co_await inner.join();
    });
    EXPECT_EQ(resumed, 0);
    Task<Status> written = pipe.write(ctx, text("m"));
    EXPECT_TRUE(written.has_value());
    notifier.notify_all();
    signal.notify();
    EXPECT_TRUE(channel.try_send(1));
    EXPECT_EQ(resumed, 0);
    scope.cancel(Status::cancelled("all"));
    EXPECT_EQ(resumed, 0);
    co_await scope.join();
    EXPECT_EQ(resumed, 6);
  });
}

// ---- law 8 ----

TEST(Laws, Law8_TheDeadlineWinsOverWhatTheHandlerReturned) {
  for (bool streams : {false, true})
    for (bool fails : {false, true}) {
      std::atomic<bool> returned{false};
      Wire wire(streams, [&](Context& ctx, Call& c) -> Task<Outcome> {
        Context deaf(ctx.loop());
        Status s;
        while (s.is_ok() && !ctx.cancelled()) s = co_await sleep(deaf, 1ms);  // the deadline is over, and it goes on
        Status written = co_await c.out->write(deaf, text("late"));
        returned = s.is_ok() && written.is_ok();
        if (fails) co_return Status::internal("whatever");
        co_return Status();
      });
      Peer2 peer(wire.peer_fd);
      int32_t id = peer.request(framed("x"), true, {{"grpc-timeout", "10m"}});
      ASSERT_TRUE(peer.until_closed(id));
      EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "4") << streams << fails;
      EXPECT_TRUE(returned);
    }
}

TEST(Laws, Law8_ADeadlineOfZeroIsExceededAtOnce) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("x"), true, {{"grpc-timeout", "0S"}});
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "4");
}

// ---- law 9 ----

std::string http_get(const std::string& address, std::string_view path) {
  return run([&](Context& ctx) -> Task<std::string> {
    Address where = *Address::parse(address);
    Result<Fd> fd = co_await connect_to(ctx, where);
    if (!fd) co_return fd.error().to_string();
    ::fcntl(fd->get(), F_SETFL, 0);
    std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) co_return "send failed";
    std::string all;
    char room[16'384];
    for (ssize_t n; (n = ::recv(fd->get(), room, sizeof room, 0)) > 0;) all.append(room, static_cast<size_t>(n));
    co_return all;
  });
}

TEST(Laws, Law9_AnExceptionIsInternalItsTextIsForTheLogAndMetricsSeeIt) {
  const std::string log = testing::TempDir() + "duplex-laws-" + std::to_string(getpid()) + ".log";
  std::atomic<int> seen{-1};
  {
    Server::Settings settings = talk::v1::Pair::quiet();
    settings.log_file = log;
    Server server(settings);
    server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
    server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
      Outcome o = co_await next.call(ctx, c);  // filters see a status, no exception
      if (c.method->name.ends_with("/Say")) seen = static_cast<int>(o.status.code());
      co_return o;
    }));
    ASSERT_TRUE(server.start().is_ok());
    auto peer = std::make_shared<Client>(Client::Settings{.name = "talk", .address = server.addresses()[0]});
    talk::v1::TalkClient client(peer);
    run([&](Context& ctx) -> Task<void> {
      talk::v1::SayRequest request;
      request.set_throw_up(true);
      Result<talk::v1::SayReply> r = co_await client.say(ctx, request);
      EXPECT_EQ(r.error().to_string(), "INTERNAL: internal error");
    });
    std::string metrics = http_get(server.addresses()[0], "/metrics");
    EXPECT_TRUE(soon([&] {
      metrics = http_get(server.addresses()[0], "/metrics");
      return metrics.find("rpc_status_code=\"INTERNAL\"") != metrics.npos ||
             metrics.find("rpc_status_code=\"13\"") != metrics.npos;
    })) << metrics;
    EXPECT_EQ(metrics.find("secret"), metrics.npos);
    EXPECT_TRUE(server.stop());
  }
  EXPECT_EQ(seen, static_cast<int>(Code::kInternal));
  std::ifstream file(log);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(text.find("the handler's secret"), text.npos) << text;
  std::remove(log.c_str());
}

// ---- law 10 ----

TEST(Laws, Law10_SpawnCopiesGivesAContextAndRunsToTheFirstSuspension) {
  run([](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    std::string seen;
    Context* given = nullptr;
    {
      std::string argument = "an argument that is longer than a small string";
      std::string captured = "a capture that is longer than a small string, too";
      auto body = [captured, &seen, &given](Context& c, std::string a) -> Task<void> {
        given = &c;
        seen = "started";
        static_cast<void>(co_await yield(c));
        seen = a + "|" + captured;
      };
      scope.spawn(body, argument);
      EXPECT_EQ(seen, "started");  // before spawn returned
      EXPECT_NE(given, &own);
      EXPECT_NE(given, &ctx);
    }  // what it was spawned from is gone
    EXPECT_EQ(scope.running(), 1u);
    co_await scope.join();
    EXPECT_EQ(seen, "an argument that is longer than a small string|a capture that is longer than a small string, too");
  });
}

TEST(Laws, Law10_OfBothTheFirstFailureCancelsTheOther) {
  for (bool first : {true, false}) {
    Status other;
    Status s = run(
        [&](Context& ctx) -> Task<Status> {
          auto fails = [](Context& c) -> Task<Status> {
            static_cast<void>(co_await sleep(c, 1s));
            co_return Status::aborted("mine");
          };
          auto waits = [&other](Context& c) -> Task<Status> {
            other = co_await sleep(c, 1h);
            co_return other;
          };
          if (first) co_return co_await both(ctx, fails, waits);
          co_return co_await both(ctx, waits, fails);
        },
        kVirtual);
    EXPECT_EQ(s.to_string(), "ABORTED: mine");
    EXPECT_EQ(other.code(), Code::kCancelled);
  }
}

}  // namespace
}  // namespace duplex
