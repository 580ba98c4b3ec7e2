// Every kind of call through real sockets: our client, our server, one process.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "duplex/app/in_process.h"
#include "duplex/runtime/run.h"
#include "talk_service.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
using talk::v1::CountRequest;
using talk::v1::Number;
using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::Sum;
using talk::v1::TalkClient;

SayRequest named(std::string name) {
  SayRequest r;
  r.set_name(std::move(name));
  return r;
}

Number number(int64_t value, size_t padding = 0) {
  Number n;
  n.set_value(value);
  n.set_padding(std::string(padding, 'x'));
  return n;
}

TEST(Calls, Unary) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    Result<SayReply> r = co_await client.say(ctx, named("Ada"));
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    if (r) {
      EXPECT_EQ(r->text(), "hello Ada");
      EXPECT_GT(r->left_ms(), 10'000);  // the client's default deadline came with it
      EXPECT_LE(r->left_ms(), 15'000);
    }
  });
}

TEST(Calls, AThousandAtOnceOnOneConnection) {
  Pair pair;
  TalkClient client(pair.client);
  int good = 0;
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    for (int i = 0; i < 1000; ++i)
      scope.spawn([&, i](Context& c) -> Task<void> {
        SayRequest request = named("n" + std::to_string(i));
        Result<SayReply> r = co_await client.say(c, request);
        good += r.has_value() && r->text() == "hello n" + std::to_string(i);
        if (!r) ADD_FAILURE() << r.error().to_string();
      });
    co_await scope.join();
  });
  EXPECT_EQ(good, 1000);
}

TEST(Calls, AClientServesManyThreadsThatAreNoLoops) {
  Pair pair;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      TalkClient client(pair.client);
      for (int i = 0; i < 20; ++i)
        run([&](Context& ctx) -> Task<void> {
          SayRequest request = named("x");
          Result<SayReply> r = co_await client.say(ctx, request);
          good += r.has_value();
        });
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 80);
}

TEST(Calls, AStatusTravelsWithItsDetails) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_fail_code(5);
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kNotFound);
    EXPECT_EQ(r.error().message(), "as you like");
    EXPECT_EQ(r.error().details().size(), 1u);
    if (r.error().details().size() == 1) {
      EXPECT_EQ(r.error().details()[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    }
  });
}

TEST(Calls, AnExceptionIsInternalAndTellsNothing) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_throw_up(true);
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kInternal);
    EXPECT_EQ(r.error().message(), "internal error");
  });
}

TEST(Calls, MetadataTravelsBothWays) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    CallOptions options;
    Reply reply;
    options.reply = &reply;
    EXPECT_TRUE(options.metadata.set_by_user("x-echo", "a value").is_ok());
    std::string binary("\0\xff\x01,=", 5);
    EXPECT_TRUE(options.metadata.set_by_user("x-echo-bin", binary).is_ok());
    EXPECT_FALSE(options.metadata.set_by_user("grpc-status", "0").is_ok());
    EXPECT_FALSE(options.metadata.set_by_user("X-Upper", "0").is_ok());
    SayRequest request = named("m");
    Result<SayReply> r = co_await client.say(ctx, request, options);
    EXPECT_TRUE(r.has_value());
    EXPECT_EQ(reply.head.find("x-echo-head"), "a value");
    EXPECT_EQ(reply.trailers.find("x-echo-trailer"), "a value");
    EXPECT_EQ(reply.trailers.find("x-echo-bin"), binary);
  });
}

TEST(Calls, SpacesAroundAValueDoNotEndTheCall) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    CallOptions options;
    Reply reply;
    options.reply = &reply;
    options.metadata.add("x-echo", " \ta value ");
    SayRequest request = named("m");
    Result<SayReply> r = co_await client.say(ctx, request, options);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    EXPECT_EQ(reply.head.find("x-echo-head"), "a value");
  });
}

TEST(Calls, ADeadlineEndsTheCallOnBothSides) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_wait_ms(60'000);
    CallOptions options(50ms);
    Result<SayReply> r = co_await client.say(ctx, request, options);
    EXPECT_EQ(r.error().code(), Code::kDeadlineExceeded);
    while (pair.service->cancelled == 0) EXPECT_TRUE((co_await sleep(ctx, 1ms)).is_ok());
  });
}

TEST(Calls, CancellingTheCallerCancelsTheHandler) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    Context mine(ctx);
    Scope scope(mine);
    Status seen;
    scope.spawn([&](Context& c) -> Task<void> {
      SayRequest request;
      request.set_wait_ms(60'000);
      Result<SayReply> r = co_await client.say(c, request);
      seen = r.error();
    });
    while (pair.service->running == 0) EXPECT_TRUE((co_await sleep(ctx, 1ms)).is_ok());
    scope.cancel(Status::cancelled("changed my mind"));
    co_await scope.join();
    EXPECT_EQ(seen.code(), Code::kCancelled);
    while (pair.service->cancelled == 0) EXPECT_TRUE((co_await sleep(ctx, 1ms)).is_ok());
  });
}

TEST(Calls, ServerStream) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    CountRequest request;
    request.set_to(20'000);
    request.set_padding(100);
    int64_t next = 0;
    Status s = co_await client.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      for (;;) {
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        if (!*n) break;
        EXPECT_EQ((*n)->value(), next);
        ++next;
      }
      co_return Status::ok();
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    EXPECT_EQ(next, 20'000);
  });
}

TEST(Calls, AStreamsLateStatusArrivesAfterItsMessages) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    CountRequest request;
    request.set_to(10);
    request.set_fail_at(3);
    int seen = 0;
    Status s = co_await client.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      for (;;) {
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        if (!*n) break;
        ++seen;
      }
      co_return Status::ok();
    });
    EXPECT_EQ(s.code(), Code::kAborted);
    EXPECT_EQ(seen, 3);
  });
}

TEST(Calls, LeavingAStreamEarlyCancelsItAndIsOk) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    CountRequest request;
    request.set_to(1'000'000'000);
    Status s = co_await client.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      auto n = co_await in.next(c);
      co_return n ? Status::ok() : n.error();
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    while (pair.service->running != 0) EXPECT_TRUE((co_await sleep(ctx, 1ms)).is_ok());
    EXPECT_EQ(pair.service->cancelled, 1);
  });
}

TEST(Calls, ClientStream) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    Result<Sum> sum = co_await client.add(ctx, [&](Context& c, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 10'000; ++i)
        if (Status s = co_await out.write(c, number(i, 50)); !s.is_ok()) co_return s;
      co_return Status::ok();
    });
    EXPECT_TRUE(sum.has_value()) << sum.error().to_string();
    if (sum) {
      EXPECT_EQ(sum->value(), 10'000 * 10'001 / 2);
    }
  });
}

TEST(Calls, BothWaysAndTheServerMayEndEarly) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    auto talk = [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 100; ++i) {
        if (Status s = co_await out.write(c, number(i)); !s.is_ok()) co_return s;
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        EXPECT_TRUE(n->has_value());
        if (*n) {
          EXPECT_EQ((*n)->value(), i);
        }
      }
      co_return Status::ok();
    };
    Status s = co_await client.chat(ctx, talk);
    EXPECT_TRUE(s.is_ok()) << s.to_string();

    // Scenario (i): the server ends while the caller is silent, with its half of the stream still open.
    auto silent = [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      if (Status w = co_await out.write(c, number(-1)); !w.is_ok()) co_return w;
      auto n = co_await in.next(c);
      if (!n) co_return n.error();
      EXPECT_FALSE(n->has_value());
      co_return Status::ok();
    };
    s = co_await client.chat(ctx, silent);
    EXPECT_EQ(s.code(), Code::kInvalidArgument) << s.to_string();
  });
}

TEST(Calls, AMessagePastTheLimitIsResourceExhausted) {
  Server::Settings settings = Pair::quiet();
  settings.max_message = 1000;
  Pair pair(settings);
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_padding(std::string(2000, 'x'));
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kResourceExhausted) << r.error().to_string();
    EXPECT_NE(r.error().message().find("1000"), std::string::npos);
  });
}

TEST(Calls, ALargeMessageGoesInPiecesBothWays) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_padding(std::string(3 << 20, 'x'));
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    if (r) {
      EXPECT_EQ(r->padding().size(), request.padding().size());
    }
  });
}

TEST(Calls, AReaderThatStopsHoldsItsWriterAndNobodyElse) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    CountRequest request;
    request.set_to(1'000'000);
    request.set_padding(1000);
    Status s = co_await client.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      auto first = co_await in.next(c);
      if (!first) co_return first.error();
      for (int i = 0; i < 100; ++i) {  // other calls of the same connection go on
        SayRequest hi = named("n");
        Result<SayReply> r = co_await client.say(c, hi);
        if (!r) co_return r.error();
      }
      EXPECT_EQ(pair.service->running, 1);
      co_return Status::ok();
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
  });
}

TEST(Calls, APeerThatIsDownIsNamedWithItsAddress) {
  auto nobody = std::make_shared<Client>(Client::Settings{.name = "payments", .address = "127.0.0.1:1"});
  TalkClient client(nobody);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request = named("x");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kUnavailable);
    EXPECT_NE(r.error().message().find("payments"), std::string::npos) << r.error().message();
    EXPECT_NE(r.error().message().find("127.0.0.1:1"), std::string::npos);
    EXPECT_NE(r.error().message().find("refused"), std::string::npos);
  });
}

TEST(Calls, APeerMayStartLaterAndComeBack) {
  Pair first;
  std::string address = first.server.addresses()[0];
  auto client_service = std::make_shared<Client>(Client::Settings{.name = "talk", .address = address});
  TalkClient client(client_service);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request = named("x");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value());
    first.server.stop();
    r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kUnavailable);
    Server again(Pair::quiet());
    again.listen(address).serve(first.service);
    Status started = again.start();
    EXPECT_TRUE(started.is_ok()) << started.to_string();
    for (;;) {
      r = co_await client.say(ctx, request);
      if (r) break;
      EXPECT_EQ(r.error().code(), Code::kUnavailable);
      EXPECT_TRUE((co_await sleep(ctx, 5ms)).is_ok());
    }
  });
}

TEST(Calls, AHostNameIsResolved) {
  Pair pair;
  std::string port = pair.server.addresses()[0].substr(pair.server.addresses()[0].rfind(':'));
  auto named_peer = std::make_shared<Client>(Client::Settings{.name = "talk", .address = "localhost" + port});
  TalkClient client(named_peer);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request = named("x");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
  });
}

TEST(Calls, AUnixSocketServesToo) {
  Server server(Pair::quiet());
  std::string address = "unix:/tmp/duplex-calls-test-" + std::to_string(getpid()) + ".sock";
  server.listen(address).serve(std::make_shared<talk::v1::TalkService>());
  ASSERT_TRUE(server.start().is_ok());
  TalkClient client(std::make_shared<Client>(Client::Settings{.name = "talk", .address = address}));
  run([&](Context& ctx) -> Task<void> {
    SayRequest request = named("x");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
  });
}

TEST(Calls, APortInUseNamesItsHolder) {
  Pair pair;
  Server second(Pair::quiet());
  second.listen(pair.server.addresses()[0]);
  Status s = second.start();
  EXPECT_EQ(s.code(), Code::kUnavailable);
  EXPECT_NE(s.message().find("pid " + std::to_string(getpid())), std::string::npos) << s.message();
}

TEST(Calls, AStopLosesNoCall) {
  auto pair = std::make_unique<Pair>();
  TalkClient client(pair->client);
  std::atomic<int> good{0};
  std::thread caller([&] {
    run([&](Context& ctx) -> Task<void> {
      Scope scope(ctx);
      for (int i = 0; i < 50; ++i)
        scope.spawn([&](Context& c) -> Task<void> {
          SayRequest request;
          request.set_wait_ms(200);
          Result<SayReply> r = co_await client.say(c, request);
          if (r)
            ++good;
          else
            ADD_FAILURE() << r.error().to_string();
        });
      co_await scope.join();
    });
  });
  while (pair->service->running < 50) std::this_thread::yield();
  EXPECT_TRUE(pair->server.stop());
  caller.join();
  EXPECT_EQ(good, 50);
}

TEST(Calls, AStopCancelsWhatOutlivesTheGracePeriod) {
  Server::Settings settings = Pair::quiet();
  settings.grace = 50ms;
  Pair pair(settings);
  TalkClient client(pair.client);
  Status seen;
  std::thread caller([&] {
    run([&](Context& ctx) -> Task<void> {
      SayRequest request;
      request.set_wait_ms(60'000);
      Result<SayReply> r = co_await client.say(ctx, request);
      seen = r.error();
    });
  });
  while (pair.service->running < 1) std::this_thread::yield();
  EXPECT_TRUE(pair.server.stop());
  caller.join();
  EXPECT_EQ(seen.code(), Code::kUnavailable) << seen.to_string();
}

TEST(Calls, InProcessIsTheSameCore) {
  auto service = std::make_shared<talk::v1::TalkService>();
  TalkClient client(in_process(service));
  run([&](Context& ctx) -> Task<void> {
    SayRequest request = named("y");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value());
    request.set_throw_up(true);
    r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kInternal);
    Result<Sum> sum = co_await client.add(ctx, [&](Context& c, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 10; ++i)
        if (Status s = co_await out.write(c, number(i)); !s.is_ok()) co_return s;
      co_return Status::ok();
    });
    EXPECT_TRUE(sum.has_value());
    if (sum) {
      EXPECT_EQ(sum->value(), 55);
    }
  });
}

TEST(Calls, UsersFiltersSeeEveryCall) {
  std::atomic<int> at_server{0}, at_client{0};
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
  server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    ++at_server;
    co_return co_await next.call(ctx, c);
  }));
  ASSERT_TRUE(server.start().is_ok());
  auto peer = std::make_shared<Client>(Client::Settings{.name = "talk", .address = server.addresses()[0]});
  peer->use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    ++at_client;
    co_return co_await next.call(ctx, c);
  }));
  TalkClient client(peer);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request = named("x");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value());
  });
  EXPECT_EQ(at_server, 1);
  EXPECT_EQ(at_client, 1);
}

}  // namespace
}  // namespace duplex
