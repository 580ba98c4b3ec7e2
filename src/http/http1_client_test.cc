// The client side of HTTP/1.1 against scripted servers, and against our own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

#include "duplex/http/http1.h"
#include "duplex/runtime/run.h"
#include "http/http1_server.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

// The server's end, blocking, on a thread of its own.
class Script {
 public:
  explicit Script(int fd) : fd_(fd) {
    timeval patience{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void send(std::string_view text) { (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  std::string read_until(std::string_view mark) {
    size_t at;
    while ((at = got_.find(mark)) == std::string::npos) {
      char room[65536];
      ssize_t n = ::recv(fd_, room, sizeof room, 0);
      if (n <= 0) return "(ended) " + got_;
      got_.append(room, static_cast<size_t>(n));
    }
    std::string text = got_.substr(0, at + mark.size());
    got_.erase(0, at + mark.size());
    return text;
  }
  bool at_end() { return read_until("\x01").starts_with("(ended) "); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  std::string got_;
};

Head head_of(std::string method, std::string target) {
  Head head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.authority = "server.test";
  head.scheme = "http";
  return head;
}

struct Answer {
  Answer() = default;
  int status = 0;
  std::string body, trailer;
  Status error;
};

Task<Answer> whole_answer(Context& ctx, Exchange& x) {
  Answer a;
  while (!x.ended() || !x.body().empty()) {
    if (Status s = co_await wait_body(ctx, x); !s.is_ok()) {
      a.error = s;
      break;
    }
    a.body += x.body().view();
    size_t n = x.body().size();
    x.body().clear();
    x.consumed(n);
  }
  a.status = x.head().status;
  for (Metadata::Entry e : x.trailers()) a.trailer += std::string(e.name) + "=" + std::string(e.value);
  co_return a;
}

using Server = std::function<void(Script&)>;
using Client = std::function<Task<void>(Context&, Http1Client&, Notifier&)>;

void with_server(Server server, Client client) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  std::thread thread([&] {
    Script script(fds[1]);
    server(script);
    script.close();
  });
  run([&](Context& ctx) -> Task<void> {
    Context bounded(ctx, 10s);
    Notifier changed;
    {
      Http1Client c(ctx.loop(), Connected(fds[0], "server.test:80"), Limits(), changed);
      co_await client(bounded, c, changed);
    }
    EXPECT_FALSE(bounded.cancelled());
  });
  thread.join();
}

// One request without a body.
Task<Answer> ask(Context& ctx, Http1Client& c, std::string method = "GET", std::string target = "/") {
  Head head = head_of(std::move(method), std::move(target));
  Exchange* x = c.open(head, true);
  if (!x) std::abort();
  Answer a = co_await whole_answer(ctx, *x);
  c.release(*x);
  co_return a;
}

// What one raw answer comes to, and whether the connection went on.
struct Seen {
  Answer answer;
  bool usable = false;
};
Seen answer_to(std::string method, std::string raw, bool then_close = false) {
  Seen seen;
  with_server(
      [&](Script& s) {
        s.read_until("\r\n\r\n");
        s.send(raw);
        if (!then_close) s.at_end();
      },
      [&](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
        Answer a = co_await ask(ctx, c, method);
        seen.answer = a;
        Status slept = co_await sleep(ctx, 10ms);
        seen.usable = slept.is_ok() && c.usable() && c.has_room();
      });
  return seen;
}

TEST(Http1Client, AsksAgainOnTheSameConnection) {
  with_server(
      [](Script& s) {
        for (int i = 0; i < 50; ++i) {
          EXPECT_EQ(s.read_until("\r\n\r\n"), "GET /a?b HTTP/1.1\r\nhost: server.test\r\nx-a: b\r\n\r\n");
          s.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
      },
      [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
        for (int i = 0; i < 50; ++i) {
          Head head = head_of("GET", "/a?b");
          head.fields.add("x-a", "b");
          head.fields.add("connection", "keep-alive");
          head.fields.add("transfer-encoding", "gzip");
          Exchange* x = c.open(head, true);
          EXPECT_NE(x, nullptr);
          if (!x) co_return;
          EXPECT_EQ(c.open(head, true), nullptr);  // one at a time
          Answer a = co_await whole_answer(ctx, *x);
          EXPECT_EQ(a.status, 200);
          EXPECT_EQ(a.body, "hi");
          c.release(*x);
        }
      });
}

TEST(Http1Client, SendsBodies) {
  with_server(
      [](Script& s) {
        EXPECT_EQ(s.read_until("hello"), "POST / HTTP/1.1\r\nhost: server.test\r\ncontent-length: 5\r\n\r\nhello");
        s.send("HTTP/1.1 204 No Content\r\n\r\n");
        EXPECT_EQ(s.read_until("\r\n\r\n"), "POST / HTTP/1.1\r\nhost: server.test\r\ncontent-length: 0\r\n\r\n");
        s.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-T: v\r\nHost: evil\r\n\r\n");
        EXPECT_EQ(s.read_until("\r\n\r\n"),
                  "PUT /s HTTP/1.1\r\nhost: server.test\r\ntransfer-encoding: chunked\r\n\r\n");
        EXPECT_EQ(s.read_until("abc\r\n"), "3\r\nabc\r\n");
        EXPECT_EQ(s.read_until("0\r\nx-t: v\r\n\r\n"), "2\r\nde\r\n0\r\nx-t: v\r\n\r\n");
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        s.at_end();
      },
      [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
        Head post = head_of("POST", "/"), put = head_of("PUT", "/s");
        Exchange* x = c.open(post, false);
        x->send("hello");
        x->send_end(Metadata());
        Answer a = co_await whole_answer(ctx, *x);
        EXPECT_EQ(a.status, 204);
        c.release(*x);
        a = co_await ask(ctx, c, "POST");
        EXPECT_EQ(a.body, "ab");
        EXPECT_EQ(a.trailer, "x-t=v");
        x = c.open(put, false);
        (void)co_await sleep(ctx, 10ms);
        x->send("abc");
        (void)co_await sleep(ctx, 10ms);
        x->send("de");
        Metadata trailers;
        trailers.add("x-t", "v");
        x->send_end(trailers);
        a = co_await whole_answer(ctx, *x);
        EXPECT_EQ(a.status, 200);
        c.release(*x);
        EXPECT_TRUE(c.has_room());
      });
}

TEST(Http1Client, WhatTheAnswerSaysOfTheConnection) {
  Seen s = answer_to("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(s.answer.body, "a");
  EXPECT_TRUE(s.usable);
  s = answer_to("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na");
  EXPECT_EQ(s.answer.body, "a");
  EXPECT_FALSE(s.usable);
  s = answer_to("GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(s.answer.body, "a");
  EXPECT_FALSE(s.usable);
  s = answer_to("GET", "HTTP/1.0 200\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na");
  EXPECT_TRUE(s.usable);
  s = answer_to("GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", true);  // ends with the connection
  EXPECT_EQ(s.answer.body, "until the end");
  EXPECT_TRUE(s.answer.error.is_ok());
  EXPECT_FALSE(s.usable);
  s = answer_to("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc");  // octets nobody asked for
  EXPECT_EQ(s.answer.body, "a");
  EXPECT_FALSE(s.usable);
  s = answer_to("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(s.usable);
}

TEST(Http1Client, AnswersWithoutBody) {
  Seen s = answer_to("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_EQ(s.answer.status, 200);
  EXPECT_EQ(s.answer.body, "");
  EXPECT_TRUE(s.usable);
  s = answer_to("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(s.usable);
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    s = answer_to("GET", "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 5\r\n\r\n");
    EXPECT_TRUE(s.answer.error.is_ok()) << status;
    EXPECT_EQ(s.answer.body, "");
  }
}

TEST(Http1Client, InterimAnswersAreSkipped) {
  Seen s = answer_to("GET",
                     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 3\r\n\r\n"
                     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(s.answer.status, 200);
  EXPECT_EQ(s.answer.body, "a");
  EXPECT_TRUE(s.usable);
  s = answer_to("GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw");
  EXPECT_EQ(s.answer.error.code(), Code::kInternal);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "HTTP/1.1 102 Processing\r\n\r\n";
  s = answer_to("GET", many);
  EXPECT_EQ(s.answer.error.code(), Code::kInternal);
}

TEST(Http1Client, RefusesMalformedAnswers) {
  using namespace std::string_literals;
  const std::string bad[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n"s,
      "HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 0\r\n\r\n",
      "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
      "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nX-A: " + std::string(100000, 'x') + "\r\n\r\n",
  };
  for (const std::string& raw : bad) {
    Seen s = answer_to("GET", raw);
    EXPECT_EQ(s.answer.error.code(), Code::kInternal) << raw.substr(0, 80);
    EXPECT_FALSE(s.usable) << raw.substr(0, 80);
  }
  // Cut short: the connection's fault.
  for (std::string raw : {"", "HTTP/1.1 200 OK\r\nCont", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    Seen s = answer_to("GET", raw, true);
    EXPECT_EQ(s.answer.error.code(), Code::kUnavailable) << raw;
    EXPECT_FALSE(s.usable);
  }
}

TEST(Http1Client, UnsolicitedOctetsCloseAnIdleConnection) {
  with_server(
      [](Script& s) {
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        EXPECT_TRUE(s.at_end());
      },
      [](Context& ctx, Http1Client& c, Notifier& changed) -> Task<void> {
        Status waited;
        while (waited.is_ok() && !c.over()) waited = co_await changed.wait(ctx);
        EXPECT_FALSE(c.usable());
        EXPECT_EQ(c.open(head_of("GET", "/"), true), nullptr);
      });
}

TEST(Http1Client, WhatCannotBeSaidIsNotSent) {
  with_server(
      [](Script& s) {
        EXPECT_EQ(s.read_until("\r\n\r\n").substr(0, 9), "GET /good");
        s.send("HTTP/1.1 204 x\r\n\r\n");
      },
      [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
        std::vector<Head> bad;
        bad.push_back(head_of("GET", "/ HTTP/1.1\r\nx: y"));
        bad.push_back(head_of("GET /\r\n", "/"));
        bad.push_back(head_of("GET", "/a b"));
        bad.push_back(head_of("GET", ""));
        bad.push_back(head_of("CONNECT", "/"));
        for (auto [name, value] : {std::pair("x-a", "b\r\nc: d"),
                                   {"x a", "b"},
                                   {"x:a", "b"},
                                   {"", "b"},
                                   {"content-length", "5, 5"},
                                   {"host", "other"}}) {
          bad.push_back(head_of("GET", "/"));
          bad.back().fields.add(name, value);
        }
        bad.push_back(head_of("GET", "/"));
        bad.back().authority = "a\r\nb";
        for (const Head& head : bad) {
          Exchange* x = c.open(head, true);
          EXPECT_EQ(x->error().code(), Code::kInvalidArgument);
          EXPECT_TRUE(x->unsent());
          Answer a = co_await whole_answer(ctx, *x);
          EXPECT_EQ(a.error.code(), Code::kInvalidArgument);
          c.release(*x);
        }
        Answer a = co_await ask(ctx, c, "GET", "/good");
        EXPECT_EQ(a.status, 204);
      });
}

TEST(Http1Client, ExpectContinue) {
  auto client = [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
    Head head = head_of("POST", "/");
    head.fields.add("expect", "100-continue");
    Exchange* x = c.open(head, false);
    x->send("hello");
    x->send_end(Metadata());
    Answer a = co_await whole_answer(ctx, *x);
    EXPECT_GE(a.status, 200);
    c.release(*x);
    EXPECT_EQ(c.usable(), a.status == 200);
  };
  with_server(
      [](Script& s) {  // answered
        EXPECT_TRUE(s.read_until("\r\n\r\n").find("expect: 100-continue\r\n") != std::string::npos);
        s.send("HTTP/1.1 100 Continue\r\n\r\n");
        EXPECT_EQ(s.read_until("hello"), "hello");
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        s.at_end();
      },
      client);
  with_server(
      [](Script& s) {  // never answered
        s.read_until("\r\n\r\n");
        EXPECT_EQ(s.read_until("hello"), "hello");
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        s.at_end();
      },
      client);
  with_server(
      [](Script& s) {  // refused: nothing of the body leaves, and the connection ends
        s.read_until("\r\n\r\n");
        s.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
        EXPECT_EQ(s.read_until("hello"), "(ended) ");
      },
      client);
}

TEST(Http1Client, EarlyAnswerStopsTheUpload) {
  for (bool closes : {false, true})
    with_server(
        [closes](Script& s) {
          s.read_until("\r\n\r\n");
          s.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
          if (!closes) {
            EXPECT_TRUE(s.at_end());
          }
        },
        [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
          Head head = head_of("POST", "/");
          Exchange* x = c.open(head, false);
          std::string piece(16384, 'x');
          int sent = 0;
          while (x->error().is_ok() && !x->has_head() && sent < 10000) {
            x->send(piece);
            ++sent;
            Status room = co_await wait_room(ctx, *x);
            if (!room.is_ok()) break;
          }
          EXPECT_LT(sent, 10000);
          Answer a = co_await whole_answer(ctx, *x);
          EXPECT_EQ(a.status, 413);
          EXPECT_EQ(a.body, "no");
          c.release(*x);
          EXPECT_FALSE(c.usable());
        });
}

TEST(Http1Client, AnAnswerBeforeTheBodyEndsReuse) {  // "CL.0": the peer may read the body as another request
  with_server(
      [](Script& s) {
        s.read_until("\r\n\r\n");
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        s.at_end();
      },
      [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
        Head head = head_of("POST", "/");
        head.fields.add("content-length", "5");
        Exchange* x = c.open(head, false);
        Answer a = co_await whole_answer(ctx, *x);
        EXPECT_EQ(a.status, 200);
        c.release(*x);
        EXPECT_FALSE(c.usable());
      });
}

TEST(Http1Client, ReleasedInTheMiddleCloses) {
  with_server(
      [](Script& s) {
        s.read_until("\r\n\r\n");
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        EXPECT_TRUE(s.at_end());
      },
      [](Context& ctx, Http1Client& c, Notifier&) -> Task<void> {
        Head head = head_of("GET", "/");
        Exchange* x = c.open(head, true);
        EXPECT_TRUE((co_await wait_body(ctx, *x)).is_ok());
        c.release(*x);
        EXPECT_TRUE(c.over());
      });
}

// Our two halves with each other.
class Mirror final : public Handler {
 public:
  Task<void> serve(Context& ctx, Exchange& x) override {
    x.send_head(200, Metadata(), false);
    while (!x.ended() || !x.body().empty()) {
      if (!(co_await wait_body(ctx, x)).is_ok()) co_return;
      x.send(x.body().view());
      size_t n = x.body().size();
      x.body().clear();
      x.consumed(n);
      if (!(co_await wait_room(ctx, x)).is_ok()) co_return;
    }
    x.send_end(Metadata());
  }
};

TEST(Http1Client, AgainstOurServerBothWaysAtOnce) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  run([&](Context& ctx) -> Task<void> {
    Mirror mirror;
    ServerOptions options;
    options.handler = &mirror;
    Scope scope(ctx);
    scope.spawn([&](Context& child) { return serve_http1(child, Connected(fds[1], "peer"), options, "", nullptr); });
    Notifier changed;
    {
      Http1Client c(ctx.loop(), Connected(fds[0], "server"), Limits(), changed);
      for (int round = 0; round < 3; ++round) {
        Head head = head_of("POST", "/");
        Exchange* x = c.open(head, false);
        EXPECT_NE(x, nullptr);
        if (!x) break;
        constexpr size_t kTotal = 4 << 20;
        size_t got = 0, most = 0;
        auto send = [&](Context& child) -> Task<Status> {
          std::string piece(10000, 'p');
          for (size_t left = kTotal; left;) {
            Status s = co_await wait_room(child, *x);
            if (!s.is_ok()) co_return s;
            size_t n = std::min(left, piece.size());
            x->send(std::string_view(piece).substr(0, n));
            left -= n;
          }
          x->send_end(Metadata());
          co_return Status();
        };
        auto receive = [&](Context& child) -> Task<Status> {
          while (!x->ended() || !x->body().empty()) {
            Status s = co_await wait_body(child, *x);
            if (!s.is_ok()) co_return s;
            size_t n = x->body().size();
            most = std::max(most, n);
            got += n;
            x->body().clear();
            x->consumed(n);
          }
          co_return Status();
        };
        Status s = co_await both(ctx, send, receive);
        EXPECT_TRUE(s.is_ok()) << s.to_string();
        EXPECT_EQ(got, kTotal);
        EXPECT_LE(most, 192u << 10);
        c.release(*x);
        if (!c.usable()) break;  // its answer began before its end: our own rule
      }
    }
    co_await scope.join();
  });
}

}  // namespace
}  // namespace duplex::http
