// Those of the nine scenarios that gave the core its shape which are whole today; later_scenarios_test.cc has the
// others.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "duplex/app/in_process.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"
#include "handler.h"
#include "talk_service.h"

namespace duplex {
namespace {

using talk::v1::Number;
using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::TalkBase;
using talk::v1::TalkClient;
using talk::v1::TalkService;

Number number(int64_t value) {
  Number n;
  n.set_value(value);
  return n;
}
const Method& stream_method() {
  static const Method m("/t.T/Stream", true, true);
  return m;
}

// ---- (a) a unary server ----

TEST(Scenarios, A_UnaryServer) {
  auto service = std::make_shared<TalkService>();
  TalkClient client(in_process(service));
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_name("Ada");
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value());
    if (r) {
      EXPECT_EQ(r->text(), "hello Ada");
    }
    request.set_fail_code(5);
    r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kNotFound);
  });
}

// ---- (b) both ways ----

TEST(Scenarios, B_BackpressureRunsInBothDirections) {
  int taken = 0, given = 0;
  bool reads = false;
  Notifier changed;
  auto service = handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    while (!reads) {
      Status s = co_await changed.wait(ctx);
      if (!s.is_ok()) co_return s;
    }
    for (;;) {
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) co_return Status();
      ++taken;
      Message reply = std::move(**m);
      Status s = co_await c.out->write(ctx, reply);
      if (!s.is_ok()) co_return s;
      ++given;
    }
  });
  run([&](Context& ctx) -> Task<void> {
    Pipe in, out;
    Call call(stream_method(), Metadata(), in, out);
    Outcome outcome;
    int written = 0;
    Context own(ctx);
    Scope scope(own);
    scope.spawn([&](Context& c) -> Task<void> {
      outcome = co_await service->call(c, call);
      out.close(outcome.status);
    });
    scope.spawn([&](Context& c) -> Task<void> {
      for (int i = 0; i < 10; ++i) {
        Status s = co_await in.write(c, text(std::to_string(i)));
        if (!s.is_ok()) co_return;
        ++written;
      }
      in.close();
    });
    for (int i = 0; i < 20; ++i) static_cast<void>(co_await yield(ctx));
    EXPECT_EQ(written, 1);  // nobody reads: the caller is held
    reads = true;
    changed.notify_all();
    for (int i = 0; i < 20; ++i) static_cast<void>(co_await yield(ctx));
    EXPECT_EQ(given, 1);  // the caller does not read: the service is held, and through it the caller again
    EXPECT_LE(taken, 2);
    EXPECT_LE(written, 3);
    for (int i = 0; i < 10; ++i) {
      NextResult m = co_await out.next(ctx);
      EXPECT_TRUE(m && *m && (*m)->bytes.view() == std::to_string(i));
    }
    NextResult end = co_await out.next(ctx);
    EXPECT_TRUE(end && !*end);
    co_await scope.join();
    EXPECT_TRUE(outcome.status.is_ok());
  });
}

TEST(Scenarios, B_TheHalvesCloseIndependently) {
  Pair pair;
  TalkClient client(pair.client);
  run([&](Context& ctx) -> Task<void> {
    auto body = [](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 5; ++i) {
        Status s = co_await out.write(c, number(i));
        if (!s.is_ok()) co_return s;
      }
      out.finish();  // and still reads
      for (int i = 1;; ++i) {
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        if (!*n) {
          EXPECT_EQ(i, 6);
          co_return Status();
        }
        EXPECT_EQ((*n)->value(), i);
      }
    };
    Status s = co_await client.chat(ctx, body);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    auto early = [](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      Status w = co_await out.write(c, number(0));  // asks the service to end first
      if (!w.is_ok()) co_return w;
      auto n = co_await in.next(c);
      if (!n) co_return n.error();
      EXPECT_FALSE(n->has_value());
      co_return Status();
    };
    s = co_await client.chat(ctx, early);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
  });
}

TEST(Scenarios, B_TwoHalvesOfAHandlerFailTogether) {
  Status other;
  Status s = run(
      [&](Context& ctx) -> Task<Status> {
        auto up = [](Context& c) -> Task<Status> {
          static_cast<void>(co_await sleep(c, 10ms));
          co_return Status::data_loss("up");
        };
        auto down = [&](Context& c) -> Task<Status> {
          other = co_await sleep(c, 1h);
          co_return other;
        };
        co_return co_await both(ctx, up, down);
      },
      kVirtual);
  EXPECT_EQ(s.code(), Code::kDataLoss);
  EXPECT_EQ(other.code(), Code::kCancelled);
}

// ---- (e) headers first ----

TEST(Scenarios, E_TheHeadComesLongBeforeTheFirstMessage) {
  std::atomic<bool> go{false};
  class Slow final : public contract::DescribedService {
   public:
    explicit Slow(std::atomic<bool>& go) : go_(go) {}
    const contract::ServiceDescription& described() const override { return TalkBase::description(); }
    Task<Outcome> call(Context& ctx, Call& c) override {
      Metadata head;
      head.add("x-first", "1");
      Status s = co_await c.out->head(ctx, head);
      while (s.is_ok() && !go_) s = co_await sleep(ctx, 1ms);
      if (!s.is_ok()) co_return s;
      Result<Message> m = make_message(number(7));
      s = co_await c.out->write(ctx, *m);
      if (!s.is_ok()) co_return s;
      co_return Status::aborted("after the head");
    }

   private:
    std::atomic<bool>& go_;
  };
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(std::make_shared<Slow>(go));
  ASSERT_TRUE(server.start().is_ok());
  Client peer(Client::Settings{.name = "talk", .address = server.addresses()[0]});
  run([&](Context& ctx) -> Task<void> {
    const Method& count = TalkBase::description().method(1);
    One in(text(""));
    Pipe out;
    Call call(count, Metadata(), in, out);
    Scope scope(ctx);
    scope.spawn([&](Context& c) -> Task<void> {
      Outcome o = co_await peer.call(c, call);
      out.close(o.status);
    });
    Status s = co_await out.wait_head(ctx);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    EXPECT_EQ(out.metadata().find("x-first"), "1");
    EXPECT_FALSE(go);
    go = true;
    NextResult m = co_await out.next(ctx);
    EXPECT_TRUE(m && *m);
    m = co_await out.next(ctx);
    EXPECT_EQ(m.error().code(), Code::kAborted);
    co_await scope.join();
  });
}

TEST(Scenarios, E_AFailureAfterTheHeadAbortsTheChunkedBody) {
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /broken", [](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head;
    head.add("content-type", "text/plain");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    Message part(Bytes::copy("a part"), Format::kOpaque);
    s = co_await c.out->write(ctx, part);
    if (!s.is_ok()) co_return s;
    co_return Status::data_loss("half");
  });
  ASSERT_TRUE(server.start().is_ok());
  std::string got = run([&](Context& ctx) -> Task<std::string> {
    Address where = *Address::parse(server.addresses()[0]);
    Result<Fd> fd = co_await connect_to(ctx, where);
    if (!fd) co_return fd.error().to_string();
    ::fcntl(fd->get(), F_SETFL, 0);
    std::string_view request = "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n";
    if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) co_return "send failed";
    std::string all;
    char room[4096];
    for (ssize_t n; (n = ::recv(fd->get(), room, sizeof room, 0)) > 0;) all.append(room, static_cast<size_t>(n));
    co_return all;
  });
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200")) << got;
  EXPECT_NE(got.find("a part"), got.npos) << got;
  EXPECT_EQ(got.find("\r\n0\r\n"), got.npos) << got;  // no last chunk: whoever reads knows that it is not whole
}

// ---- (f) pass-through ----

TEST(Scenarios, F_PassThroughIsOneLineForEveryKindOfCall) {
  class Front final : public contract::DescribedService {
   public:
    explicit Front(std::shared_ptr<Client> back) : back_(std::move(back)) {}
    const contract::ServiceDescription& described() const override { return TalkBase::description(); }
    Task<Outcome> call(Context& ctx, Call& c) override { co_return co_await back_->call(ctx, c); }

   private:
    std::shared_ptr<Client> back_;
  };
  Pair back;
  Server front(Pair::quiet());
  front.listen("127.0.0.1:0").serve(std::make_shared<Front>(back.client));
  ASSERT_TRUE(front.start().is_ok());
  auto peer = std::make_shared<Client>(Client::Settings{.name = "front", .address = front.addresses()[0]});
  TalkClient client(peer);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    request.set_name("Ada");
    CallOptions options;
    Reply reply;
    options.reply = &reply;
    EXPECT_TRUE(options.metadata.set_by_user("x-echo", "through").is_ok());
    Result<SayReply> r = co_await client.say(ctx, request, options);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
    if (r) {
      EXPECT_EQ(r->text(), "hello Ada");
      EXPECT_LE(r->left_ms(), 15'000);  // the deadline came along
    }
    EXPECT_EQ(reply.head.find("x-echo-head"), "through");
    EXPECT_EQ(reply.trailers.find("x-echo-trailer"), "through");

    request.set_fail_code(9);
    r = co_await client.say(ctx, request);
    EXPECT_EQ(r.error().code(), Code::kFailedPrecondition);
    EXPECT_EQ(r.error().details().size(), 1u);

    auto talk = [](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 50; ++i) {
        Status s = co_await out.write(c, number(i));
        if (!s.is_ok()) co_return s;
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        EXPECT_TRUE(*n && (*n)->value() == i);
      }
      co_return Status();
    };
    Status s = co_await client.chat(ctx, talk);
    EXPECT_TRUE(s.is_ok()) << s.to_string();

    SayRequest slow;  // a cancel goes all the way
    slow.set_wait_ms(60'000);
    CallOptions hurried(50ms);
    r = co_await client.say(ctx, slow, hurried);
    EXPECT_EQ(r.error().code(), Code::kDeadlineExceeded);
    while (back.service->cancelled == 0) static_cast<void>(co_await sleep(ctx, 1ms));
  });
  EXPECT_TRUE(front.stop());
}

// ---- (h) stop ----

TEST(Scenarios, H_AStopWaitsForWhatRunsAndCancelsTheRest) {
  Server::Settings settings = Pair::quiet();
  settings.grace = 300ms;
  Pair pair(settings);
  TalkClient client(pair.client);
  Status quick = Status::unknown("never ended"), slow = quick, stream = quick;
  std::thread caller([&] {
    run([&](Context& ctx) -> Task<void> {
      Scope scope(ctx);
      auto say = [&](Context& c, Status& into, int ms) -> Task<void> {
        SayRequest request;
        request.set_wait_ms(ms);
        Result<SayReply> r = co_await client.say(c, request);
        into = r.error();
      };
      scope.spawn([&](Context& c) { return say(c, quick, 100); });
      scope.spawn([&](Context& c) { return say(c, slow, 60'000); });
      scope.spawn([&](Context& c) -> Task<void> {
        auto silent = [](Context& k, Reader<Number>& in, Writer<Number>&) -> Task<Status> {
          auto n = co_await in.next(k);
          co_return n.error();
        };
        stream = co_await client.chat(c, silent);
      });
      co_await scope.join();
    });
  });
  while (pair.service->running < 3) std::this_thread::yield();
  Time start = Clock::now();
  EXPECT_TRUE(pair.server.stop());
  Duration took = Clock::now() - start;
  caller.join();
  EXPECT_TRUE(quick.is_ok()) << quick.to_string();
  EXPECT_EQ(slow.code(), Code::kUnavailable) << slow.to_string();
  EXPECT_EQ(stream.code(), Code::kUnavailable) << stream.to_string();
  EXPECT_GE(took, 290ms);
  EXPECT_LT(took, 10s);
  EXPECT_EQ(pair.service->running, 0);
}

// ---- (i) early trailers while the caller is silent ----

TEST(Scenarios, I_EarlyTrailersEndACallWhoseCallerIsSilent) {
  Pair pair;
  run([&](Context& ctx) -> Task<void> {
    const Method& chat = TalkBase::description().method(3);
    Pipe in, out;  // the request's source is somebody else's stream, which stays silent
    Call call(chat, Metadata(), in, out);
    Result<Message> m = make_message(number(-1));
    Status s = co_await in.write(ctx, *m);
    EXPECT_TRUE(s.is_ok());
    Context bounded(ctx, 20s);
    Outcome o = co_await pair.client->call(bounded, call);
    EXPECT_EQ(o.status.code(), Code::kInvalidArgument) << o.status.to_string();
    // The pump has gone without taking anything: what is written now is there for the next reader.
    m = make_message(number(5));
    s = co_await in.write(ctx, *m);
    EXPECT_TRUE(s.is_ok());
    NextResult left = co_await in.next(ctx);
    EXPECT_TRUE(left && *left && (*left)->bytes == m->bytes);
  });
}

TEST(Scenarios, I_ADeadlineEndsOneTooAndAParentsCancel) {
  Pair pair;
  run([&](Context& ctx) -> Task<void> {
    const Method& chat = TalkBase::description().method(3);
    Pipe in, out;
    Call call(chat, Metadata(), in, out);
    Context hurried(ctx, 50ms);
    Outcome o = co_await pair.client->call(hurried, call);
    EXPECT_EQ(o.status.code(), Code::kDeadlineExceeded) << o.status.to_string();
    Context parent(ctx);
    Scope scope(parent);
    scope.spawn([&](Context& c) -> Task<void> { o = co_await pair.client->call(c, call); });
    while (pair.service->running == 0) static_cast<void>(co_await sleep(ctx, 1ms));
    scope.cancel(Status::aborted("enough"));
    co_await scope.join();
    EXPECT_EQ(o.status.code(), Code::kAborted) << o.status.to_string();
    while (pair.service->running != 0) static_cast<void>(co_await sleep(ctx, 1ms));
  });
}

}  // namespace
}  // namespace duplex
