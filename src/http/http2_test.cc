// HTTP/2, our server against our client on one loop.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>

#include "duplex/http/connection.h"
#include "duplex/http/http2_client.h"
#include "duplex/runtime/run.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

class Answers final : public Handler {
 public:
  using Body = std::function<Task<void>(Context&, Exchange&)>;
  explicit Answers(Body body) : body_(std::move(body)) {}
  Task<void> serve(Context& ctx, Exchange& x) override {
    co_await body_(ctx, x);
    ++served_;
  }
  int served() const { return served_; }

 private:
  Body body_;
  int served_ = 0;
};

Head get() {
  Head head;
  head.method = "GET";
  head.scheme = "http";
  head.authority = "x";
  head.target = "/";
  return head;
}

// Runs f(ctx, server, client): `server` is null again when the connection has ended.
template <class F>
void joined(Answers& answers, F f) {
  run([&](Context& ctx) -> Task<void> {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ServerOptions options;
    options.handler = &answers;
    ServerConnection* server = nullptr;
    Context own(ctx, 20s);
    Scope scope(own);
    scope.spawn([&](Context& c) { return serve_connection(c, fds[0], "client", options, &server); });
    {
      Notifier changed;
      Http2Client client(ctx.loop(), Connected(fds[1], "server"), Limits(), changed);
      co_await f(own, server, client);
      client.close_now(Status::cancelled("the test has ended"));
    }
    co_await scope.join();
  });
}

TEST(Http2, ACancelLetsWhatWasAnsweredGoOut) {
  constexpr size_t kSize = 200'000;  // more than the window of a stream
  Answers answers([](Context&, Exchange& x) -> Task<void> {
    x.send_head(200, Metadata(), false);
    x.send(std::string(kSize, 'x'));
    x.send_end(Metadata());
    co_return;
  });
  joined(answers, [&](Context& ctx, ServerConnection*& server, Http2Client& client) -> Task<void> {
    Exchange* x = client.open(get(), true);
    Status s;
    while (s.is_ok() && x->body().size() < 60'000) s = co_await x->arrived().wait(ctx);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    EXPECT_EQ(answers.served(), 1);  // nothing runs; what is left of the answer waits for our credit
    server->cancel(Status::unavailable("the server stops"));
    for (int turn = 0; turn < 10; ++turn) s = co_await yield(ctx);
    size_t size = 0;
    while (s.is_ok() && x->error().is_ok()) {
      size_t n = x->body().size();
      size += n;
      x->body().clear();
      x->consumed(n);
      if (x->ended()) break;
      s = co_await x->arrived().wait(ctx);
    }
    EXPECT_TRUE(x->ended()) << x->error().to_string() << s.to_string();
    EXPECT_EQ(size, kSize);
    client.release(*x);
    while (s.is_ok() && !client.over()) s = co_await client.ended().wait(ctx);
    EXPECT_TRUE(client.over());
  });
}

TEST(Http2, AStreamThatHasEndedKeepsNoLargeBuffer) {
  Exchange* served = nullptr;
  Answers answers([&](Context& ctx, Exchange& x) -> Task<void> {
    served = &x;
    Status s;
    while (s.is_ok() && !x.ended()) s = co_await x.arrived().wait(ctx);
    EXPECT_GE(x.body().capacity(), 60'000u);  // all that nobody reads
    x.send_head(200, Metadata(), true);
  });
  joined(answers, [&](Context& ctx, ServerConnection*&, Http2Client& client) -> Task<void> {
    Head head = get();
    head.method = "POST";
    Exchange* x = client.open(head, false);
    x->send(std::string(60'000, 'x'));
    x->send_end(Metadata());
    Status s;
    while (s.is_ok() && !x->ended() && x->error().is_ok()) s = co_await x->arrived().wait(ctx);
    EXPECT_TRUE(x->ended()) << x->error().to_string();
    client.release(*x);
    for (int turn = 0; turn < 10; ++turn) s = co_await yield(ctx);
    EXPECT_TRUE(served);
    if (served) {
      EXPECT_LE(served->body().capacity(), 16384u);
    }
  });
}

}  // namespace
}  // namespace duplex::http
