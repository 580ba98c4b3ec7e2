// HTTP/1.1 served to raw octets, as a client or an attacker would send them.
#include "http/http1_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "duplex/runtime/run.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

// Answers by its path.
class Echo final : public Handler {
 public:
  Task<void> serve(Context& ctx, Exchange& x) override {
    ++served;
    std::string_view path = x.head().target;
    if (path == "/nothing") co_return;
    if (path == "/throw") throw std::runtime_error("a handler's own");
    if (path == "/wait") {
      co_await wait(ctx);
      co_return;
    }
    if (path == "/early") co_return answer(x, 200, "early");
    if (path == "/stream") co_return co_await stream(ctx, x);
    if (path.starts_with("/big/")) co_return co_await big(ctx, x, std::stoul(std::string(path.substr(5))));
    if (path == "/slow-reader") co_return co_await slow_reader(ctx, x);
    if (path == "/split") {
      Metadata fields;
      fields.add("x-evil", "a\r\nset-cookie: b=c");
      x.send_head(200, fields, false);
      x.send("body");
      co_return x.send_end(Metadata());
    }
    if (path == "/partial") {
      x.send_head(200, Metadata(), false);
      x.send("a part");
      co_await sleep(ctx, 20ms);
      co_return;  // without an end
    }
    if (path == "/empty") co_return x.send_head(204, Metadata(), true);
    if (path == "/hint") {
      Metadata link;
      link.add("link", "</a.css>");
      x.send_interim(103, link);
      co_return answer(x, 200, "hinted");
    }
    if (path == "/trailers") {
      x.send_head(200, Metadata(), false);
      x.send("body");
      Metadata trailers;
      trailers.add("x-sum", "7");
      trailers.add("content-length", "3");
      co_return x.send_end(trailers);
    }
    if (path == "/later") (void)co_await sleep(ctx, 30ms);
    if (path == "/upgrade") co_return co_await upgrade(ctx, x);
    std::string body;
    while (!x.ended() || !x.body().empty()) {
      if (Status s = co_await wait_body(ctx, x); !s.is_ok()) {
        last_error = s.to_string();
        co_return;
      }
      body += x.body().view();
      size_t n = x.body().size();
      x.body().clear();
      x.consumed(n);
    }
    std::string text = x.head().method + " " + x.head().target + " " + x.head().authority + "\n";
    if (path == "/fields")
      for (Metadata::Entry e : x.head().fields) text += std::string(e.name) + "=" + std::string(e.value) + "\n";
    for (Metadata::Entry e : x.trailers()) text += "trailer " + std::string(e.name) + "=" + std::string(e.value) + "\n";
    answer(x, 200, text + body);
  }

  std::atomic<int> served{0};
  std::atomic<int> cancelled{0};
  std::atomic<bool> go{false};
  std::atomic<size_t> most_unread{0}, most_unsent{0};
  std::string last_error;

 private:
  static void answer(Exchange& x, int status, std::string_view text) {
    x.send_head(status, Metadata(), false);
    x.send(text);
    x.send_end(Metadata());
  }
  Task<void> wait(Context& ctx) {
    Status slept = co_await sleep(ctx, 1h);  // not in the condition: g++ 12 makes a coroutine of it that never starts
    if (!slept.is_ok()) {
      last_error = ctx.why().to_string();
      ++cancelled;
    }
  }
  Task<void> stream(Context& ctx, Exchange& x) {
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
  Task<void> big(Context& ctx, Exchange& x, size_t size) {
    x.send_head(200, Metadata(), false);
    std::string piece(16 * 1024, 'b');
    for (size_t left = size; left;) {
      if (Status s = co_await wait_room(ctx, x); !s.is_ok()) {
        last_error = s.to_string();
        ++cancelled;
        co_return;
      }
      size_t n = std::min(left, piece.size());
      x.send(std::string_view(piece).substr(0, n));
      most_unsent = std::max(most_unsent.load(), x.unsent_octets());
      left -= n;
    }
    x.send_end(Metadata());
  }
  Task<void> slow_reader(Context& ctx, Exchange& x) {
    while (!go) (void)co_await sleep(ctx, 5ms);
    size_t got = 0;
    while (!x.ended() || !x.body().empty()) {
      if (!(co_await wait_body(ctx, x)).is_ok()) co_return;
      most_unread = std::max(most_unread.load(), x.body().size());
      size_t n = x.body().size();
      got += n;
      x.consumed(n);  // before it is taken: what comes then must not be lost
      x.body().clear();
    }
    answer(x, 200, std::to_string(got));
  }
  Task<void> upgrade(Context& ctx, Exchange& x) {
    Metadata fields;
    fields.add("upgrade", "upper");
    x.send_head(101, fields, false);
    while (!x.ended() || !x.body().empty()) {
      if (!(co_await wait_body(ctx, x)).is_ok()) co_return;
      std::string text(x.body().view());
      x.body().clear();
      x.consumed(text.size());
      for (char& c : text) c = static_cast<char>(std::toupper(c));
      x.send(text);
      if (text.ends_with("BYE")) break;
    }
    x.send_end(Metadata());
  }
};

// A server of one connection on a loop of its own, and a blocking client's end of it.
class Served {
 public:
  explicit Served(Limits limits = {}, std::string already = {}) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    client_ = fds[0];
    timeval patience{10, 0};
    ::setsockopt(client_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int server = fds[1];
    ::fcntl(server, F_SETFL, O_NONBLOCK);
    options_.limits = limits;
    options_.handler = &handler;
    thread_.spawn([this, server, already](Context& ctx) -> Task<void> {
      co_await serve_http1(ctx, server, "test:1", options_, already, &connection_);
      ended = true;
    });
  }
  ~Served() {
    close();
    thread_.stop();
    EXPECT_TRUE(ended);
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(client_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  // How much of it the server takes without an answer being read.
  size_t send_while_taken(std::string_view text) {
    size_t sent = 0;
    while (sent < text.size()) {
      pollfd p{client_, POLLOUT, 0};
      if (::poll(&p, 1, 300) <= 0) break;
      ssize_t n = ::send(client_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0 && errno != EAGAIN) break;
      if (n > 0) sent += static_cast<size_t>(n);
    }
    return sent;
  }
  void half_close() { ::shutdown(client_, SHUT_WR); }
  void close() {
    if (client_ >= 0) ::close(client_);
    client_ = -1;
  }
  std::string read_to_end() {
    while (read_some()) {
    }
    return std::move(got_);
  }
  // Until `mark` has come; what follows it is kept.
  std::string read_until(std::string_view mark) {
    size_t at;
    while ((at = got_.find(mark)) == std::string::npos)
      if (!read_some()) return "(ended) " + std::move(got_);
    std::string text = got_.substr(0, at + mark.size());
    got_.erase(0, at + mark.size());
    return text;
  }
  bool wait_for_end() {
    for (int i = 0; i < 1000 && !ended; ++i) std::this_thread::sleep_for(5ms);
    return ended;
  }
  template <class F>
  void on_loop(F f) {
    std::atomic<bool> done{false};
    thread_.loop().post([&] {
      f(connection_);
      done = true;
    });
    while (!done) std::this_thread::sleep_for(1ms);
  }

  Echo handler;
  std::atomic<bool> ended{false};

 private:
  bool read_some() {
    char room[65536];
    ssize_t n = ::recv(client_, room, sizeof room, 0);
    if (n > 0) got_.append(room, static_cast<size_t>(n));
    return n > 0;
  }
  ServerOptions options_;
  ServerConnection* connection_ = nullptr;
  int client_;
  std::string got_;
  LoopThread thread_;
};

std::string body_of(const std::string& answer) {
  size_t at = answer.find("\r\n\r\n");
  return at == std::string::npos ? std::string() : answer.substr(at + 4);
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
size_t count_of(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}
std::string chunks_of(std::string text) {
  std::string whole;
  while (!text.empty()) {
    size_t size = std::stoul(text, nullptr, 16);
    size_t at = text.find("\r\n") + 2;
    if (size == 0) return whole + "|" + text.substr(at);
    whole += text.substr(at, size);
    text.erase(0, at + size + 2);
  }
  return whole + "(no end)";
}

TEST(Http1Server, AnswersAUnaryRequestWithItsLength) {
  Served s;
  s.send("GET /a?b=c HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n");
  std::string answer = s.read_until("shop.test:8080\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(contains(answer, "content-length: 26\r\n"));
  EXPECT_TRUE(contains(answer, "date: "));
  EXPECT_TRUE(contains(answer, " GMT\r\n"));
  EXPECT_FALSE(contains(answer, "connection:"));
  EXPECT_EQ(body_of(answer), "GET /a?b=c shop.test:8080\n");
}

TEST(Http1Server, KeepsTheConnection) {
  Served s;
  for (int i = 0; i < 100; ++i) {
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(body_of(s.read_until("hello")), "POST /echo a\nhello");
  }
  EXPECT_EQ(s.handler.served, 100);
}

TEST(Http1Server, TakesWhatWasReadBefore) {
  Served s({}, "GET /x HTTP/1.1\r\nHos");
  s.send("t: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/x a\n")), "GET /x a\n");
}

TEST(Http1Server, AnswersPipelinedRequestsInOrder) {
  Served s;
  std::string all;  // "/later" answers late and nothing may overtake it
  for (int i = 0; i < 20; ++i)
    all += "GET /" + std::string(i % 7 == 0 ? "later" : "n" + std::to_string(i)) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  s.send(all + "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  std::string answers = s.read_to_end();
  size_t at = 0;
  for (int i = 0; i < 20; ++i) {
    at = answers.find(i % 7 == 0 ? "GET /later a" : "GET /n" + std::to_string(i) + " a", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_TRUE(answers.ends_with("GET /last a\n"));
  EXPECT_TRUE(contains(answers, "connection: close"));
}

TEST(Http1Server, DeepPipelineNeitherRecursesNorGrows) {
  Served s;
  std::string all;
  for (int i = 0; i < 20000; ++i) all += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::thread writer([&] {
    s.send(all);
    s.half_close();
  });
  std::string answers = s.read_to_end();
  writer.join();
  EXPECT_EQ(count_of(answers, "HTTP/1.1 200 OK"), 20000u);
  EXPECT_TRUE(s.wait_for_end());
}

TEST(Http1Server, OctetByOctet) {
  Served s;
  std::string request =
      "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n"
      "X-T: v\r\n\r\nGET /last HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
  for (char c : request) {
    s.send({&c, 1});
    std::this_thread::sleep_for(100us);
  }
  std::string answers = s.read_to_end();
  EXPECT_TRUE(contains(answers, "POST /echo a\ntrailer x-t=v\nabc0123456789")) << answers;
  EXPECT_TRUE(answers.ends_with("GET /last b\n"));
}

TEST(Http1Server, ChunkedInAndForbiddenTrailersDropped) {
  Served s;
  s.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n"
      "X-Sum: 9\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nAuthorization: x\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("hello")), "POST /echo a\ntrailer x-sum=9\nhello");
}

TEST(Http1Server, StreamsInChunksBothWays) {
  Served s;
  s.send("POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(contains(s.read_until("\r\n\r\n"), "transfer-encoding: chunked\r\n"));
  s.send("3\r\nabc\r\n");
  EXPECT_EQ(s.read_until("abc\r\n"), "3\r\nabc\r\n");
  s.send("4\r\ndefg\r\n0\r\n\r\n");
  EXPECT_EQ(chunks_of(s.read_until("0\r\n\r\n")), "defg|\r\n");
  s.send("GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/n a\n")), "GET /n a\n");
}

TEST(Http1Server, TrailersOnlyToWhoTakesThem) {
  Served s;
  s.send("GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
  EXPECT_EQ(chunks_of(body_of(s.read_until("7\r\n\r\n"))), "body|x-sum: 7\r\n\r\n");
  s.send("GET /trailers HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string answer = s.read_until("body");
  EXPECT_TRUE(contains(answer, "content-length: 4\r\n")) << answer;
}

TEST(Http1Server, LargeBodyInBoundedMemory) {
  Served s;
  std::string body(8 << 20, 'x');
  s.send("POST /slow-reader HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  size_t taken = s.send_while_taken(body);  // nobody reads: the socket's buffers and 128 KiB fill
  EXPECT_LT(taken, 2u << 20);
  s.handler.go = true;
  s.send(std::string_view(body).substr(taken));
  EXPECT_EQ(body_of(s.read_until(std::to_string(body.size()))).substr(0, 7), "8388608");
  EXPECT_LE(s.handler.most_unread, 192u << 10);
  s.send("GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/n a\n")), "GET /n a\n");
}

TEST(Http1Server, LargeAnswerInBoundedMemory) {
  Served s;
  s.send("GET /big/20000000 HTTP/1.1\r\nHost: a\r\n\r\n");
  std::this_thread::sleep_for(200ms);  // it must not be put together meanwhile
  EXPECT_LT(s.handler.most_unsent, 128u << 10);
  s.half_close();
  std::string answer = s.read_to_end();
  EXPECT_EQ(chunks_of(body_of(answer)).size(), 20000000u + 3);
  EXPECT_LT(s.handler.most_unsent, 128u << 10);
}

TEST(Http1Server, HeadHasNoBody) {
  Served s;
  s.send(
      "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /big/100000 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /empty HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  std::string answers = s.read_to_end();
  EXPECT_EQ(count_of(answers, "HTTP/1.1 200"), 3u);
  EXPECT_EQ(count_of(answers, "HTTP/1.1 204"), 1u);
  EXPECT_TRUE(contains(answers, "content-length: 10\r\n\r\nHTTP/1.1 200"));
  EXPECT_FALSE(contains(answers, "bbbb"));
  EXPECT_TRUE(answers.ends_with("\r\n\r\nGET /b a\n"));
}

TEST(Http1Server, HalfClosedCallerIsAnswered) {
  Served s;
  s.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  s.half_close();
  std::string answers = s.read_to_end();
  EXPECT_TRUE(contains(answers, "GET /later a\n"));
  EXPECT_TRUE(answers.ends_with("GET /next a\n"));
  EXPECT_TRUE(s.wait_for_end());
}

TEST(Http1Server, ACallerThatClosesAltogetherIsHeardEvenOnAUnixSocket) {
  Served s;
  s.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  s.close();
  EXPECT_TRUE(s.wait_for_end());
  EXPECT_EQ(s.handler.cancelled, 1);
}

TEST(Http1Server, Http10) {
  {
    Served s;
    s.send("GET /a HTTP/1.0\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\nGET /a \n"));
  }
  {
    Served s;
    s.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(contains(s.read_until("GET /a \n"), "connection: keep-alive\r\n"));
    s.send("GET /big/100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_FALSE(contains(answer, "transfer-encoding"));
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
    EXPECT_EQ(body_of(answer), std::string(100000, 'b'));
  }
}

TEST(Http1Server, ContinueWhenTheBodyIsAwaited) {
  {
    Served s;
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(s.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    s.send("hello");
    EXPECT_EQ(body_of(s.read_until("hello")), "POST /echo a\nhello");
  }
  {
    Served s;  // the body is there already
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    EXPECT_TRUE(s.read_until("hello").starts_with("HTTP/1.1 200 OK"));
  }
  {
    Served s;  // nobody wants it: the connection ends, since nobody knows whether it comes
    s.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK"));
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
  }
}

TEST(Http1Server, Interim) {
  Served s;
  s.send("GET /hint HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(s.read_until("\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("hinted")), "hinted");
}

TEST(Http1Server, UnreadBody) {
  Served s;
  s.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("early")), "early");
  s.send(std::string(100000, 'x') + "GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/n a\n")), "GET /n a\n");
  s.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  std::string answer = s.read_to_end();
  EXPECT_TRUE(contains(answer, "connection: close\r\n"));
  EXPECT_EQ(body_of(answer), "early");
}

TEST(Http1Server, HandlerThatDoesNotAnswer) {
  {
    Served s;
    s.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
    s.half_close();
    EXPECT_EQ(count_of(s.read_to_end(), "HTTP/1.1 500 Internal Server Error\r\n"), 2u);
  }
  {
    Served s;
    s.send("GET /partial HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_EQ(chunks_of(body_of(answer)), "a part(no end)");
  }
}

TEST(Http1Server, NoResponseSplitting) {
  Served s;
  s.send("GET /split HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string answer = s.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500"));
  EXPECT_FALSE(contains(answer, "set-cookie"));
}

TEST(Http1Server, AbsoluteFormWins) {
  Served s;
  s.send("GET http://real.test:81/p?q=1 HTTP/1.1\r\nHost: other.test\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until(":81\n")), "GET /p?q=1 real.test:81\n");
  s.send("GET http://real.test?q HTTP/1.1\r\nHost: other.test\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until(".test\n")), "GET /?q real.test\n");
  s.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("* a\n")), "OPTIONS * a\n");
}

TEST(Http1Server, Fields) {
  Served s;
  s.send(
      "GET /fields HTTP/1.1\r\nHost: a\r\nX-A:  one \t\r\nx-a:two\r\nX-Empty:\r\nX-Latin: caf\xe9\r\n"
      "Connection: keep-alive, x-hop, authorization\r\nX-Hop: h\r\nAuthorization: Bearer t\r\nKeep-Alive: 5\r\n\r\n"
      "GET /end HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
  std::string answers = s.read_to_end();
  EXPECT_TRUE(contains(answers, "\nx-a=one\nx-a=two\nx-empty=\nx-latin=caf\xe9\nauthorization=Bearer t\nHTTP/1.1"))
      << answers;
}

TEST(Http1Server, Upgrade) {
  Served s;
  s.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nUpgrade: upper\r\nConnection: upgrade\r\n\r\nabc");
  EXPECT_TRUE(s.read_until("ABC").starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  s.send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(s.read_until("\n"), "GET / HTTP/1.1\r\n");
  s.send("bye");
  EXPECT_EQ(s.read_to_end(), "BYE");
}

TEST(Http1Server, TimeoutOfAHead) {
  Limits limits;
  limits.head_timeout = 50ms;
  Served s(limits);
  s.send("GET / HTTP/1.1\r\nHo");
  std::string answer = s.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_TRUE(contains(answer, "connection: close"));
}

TEST(Http1Server, DrippingDoesNotProlongAHead) {
  Limits limits;
  limits.head_timeout = 100ms;
  Served s(limits);
  auto begun = std::chrono::steady_clock::now();
  s.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 200 && !s.ended; ++i) {
    s.send("X-A: b\r\n");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1800ms);
  EXPECT_TRUE(s.read_to_end().starts_with("HTTP/1.1 408 "));
}

TEST(Http1Server, IdleConnectionEnds) {
  Limits limits;
  limits.idle = 50ms;
  Served s(limits);
  s.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(s.read_to_end().ends_with("GET / a\n"));
}

TEST(Http1Server, GoneCallerCancels) {
  {
    Served s;
    s.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    while (!s.handler.served) std::this_thread::sleep_for(1ms);
    s.close();
    EXPECT_TRUE(s.wait_for_end());
    EXPECT_EQ(s.handler.cancelled, 1);
    EXPECT_TRUE(s.handler.last_error.starts_with("CANCELLED: the caller has gone")) << s.handler.last_error;
  }
  {
    Served s;  // learnt from the write
    s.send("GET /big/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    s.read_until("bbbb");
    s.close();
    EXPECT_TRUE(s.wait_for_end());
    EXPECT_EQ(s.handler.cancelled, 1);
  }
  {
    Served s;  // the body is malformed while the handler waits for it
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    while (!s.handler.served) std::this_thread::sleep_for(1ms);
    s.send("zz\r\n");
    EXPECT_TRUE(s.read_to_end().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_TRUE(s.wait_for_end());
  }
}

TEST(Http1Server, Drain) {
  {
    Served s;  // idle: at once
    s.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    s.read_until("/ a\n");
    s.on_loop([](ServerConnection* c) { c->drain(); });
    EXPECT_EQ(s.read_to_end(), "");
  }
  {
    Served s;  // the one that runs is answered, and told
    s.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!s.handler.served) std::this_thread::sleep_for(1ms);
    s.on_loop([](ServerConnection* c) { c->drain(); });
    std::string answer = s.read_to_end();
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
    EXPECT_EQ(body_of(answer), "GET /later a\n");
  }
}

TEST(Http1Server, Cancel) {
  Served s;
  s.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  while (!s.handler.served) std::this_thread::sleep_for(1ms);
  s.on_loop([](ServerConnection* c) { c->cancel(Status::unavailable("the server stops")); });
  std::string answer = s.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_EQ(s.handler.cancelled, 1);
  EXPECT_TRUE(s.wait_for_end());
}

struct Bad {
  const char* why;
  int status;
  std::string octets;
};

// What is refused, with the status it is refused with. The handler never sees it.
std::vector<Bad> bad_requests() {
  auto with = [](std::string fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; };
  auto chunked = [&](std::string body) { return with("Transfer-Encoding: chunked\r\n") + body; };
  auto line = [](std::string start) { return start + "\r\nHost: a\r\n\r\n"; };
  using namespace std::string_literals;
  return {
      {"length and encoding", 400, with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
      {"encoding and length", 400, with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n"},
      {"chunked, identity", 400, with("Transfer-Encoding: chunked, identity\r\n")},
      {"identity", 400, with("Transfer-Encoding: identity\r\n")},
      {"identity, chunked", 400, with("Transfer-Encoding: identity, chunked\r\n")},
      {"xchunked", 400, with("Transfer-Encoding: xchunked\r\n")},
      {"chunked twice", 400, with("Transfer-Encoding: chunked, chunked\r\n")},
      {"chunked in two fields", 400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"split encodings", 400, with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")},
      {"an empty encoding", 400, with("Transfer-Encoding:\r\n")},
      {"VT before chunked", 400, with("Transfer-Encoding: \vchunked\r\n")},
      {"NUL after chunked", 400, with("Transfer-Encoding: chunked\0\r\n"s)},
      {"quoted chunked", 400, with("Transfer-Encoding: \"chunked\"\r\n")},
      {"a blank before the colon", 400, with("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n"},
      {"a tab before the colon", 400, with("Content-Length\t: 5\r\n") + "hello"},
      {"encoding folded", 400, with("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n"},
      {"a folded field", 400, with("X-A: b\r\n c\r\n")},
      {"a field folded by a tab", 400, with("X-A: b\r\n\tc\r\n")},
      {"a fold of blanks", 400, with("X-A: b\r\n \r\n")},
      {"encoding on 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two lengths that differ", 400, with("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello"},
      {"two lengths alike", 400, with("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello"},
      {"a list of lengths", 400, with("Content-Length: 5, 5\r\n") + "hello"},
      {"+5", 400, with("Content-Length: +5\r\n") + "hello"},
      {"-0", 400, with("Content-Length: -0\r\n")},
      {"0x5", 400, with("Content-Length: 0x5\r\n") + "hello"},
      {"5 5", 400, with("Content-Length: 5 5\r\n") + "hello"},
      {"5.0", 400, with("Content-Length: 5.0\r\n") + "hello"},
      {"no digits", 400, with("Content-Length:\r\n")},
      {"2^64", 400, with("Content-Length: 18446744073709551616\r\n")},
      {"2^63", 400, with("Content-Length: 9223372036854775808\r\n")},
      {"chunk size with a sign", 400, chunked("+5\r\nhello\r\n0\r\n\r\n")},
      {"negative chunk size", 400, chunked("-5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size 0x5", 400, chunked("0x5\r\nhello\r\n0\r\n\r\n")},
      {"blank before a chunk size", 400, chunked(" 5\r\nhello\r\n0\r\n\r\n")},
      {"blank after a chunk size", 400, chunked("5 \r\nhello\r\n0\r\n\r\n")},
      {"17 hexadecimal digits", 400, chunked("10000000000000000\r\n")},
      {"LF after a chunk size", 400, chunked("5\nhello\r\n0\r\n\r\n")},
      {"CR CR after a chunk size", 400, chunked("5\r\rhello\r\n0\r\n\r\n")},
      {"no CRLF after chunk data", 400, chunked("5\r\nhello0\r\n\r\n")},
      {"chunk data too long", 400, chunked("5\r\nhelloXX\r\n0\r\n\r\n")},
      {"LF after chunk data", 400, chunked("5\r\nhello\n0\r\n\r\n")},
      {"no chunk size", 400, chunked("\r\nhello\r\n")},
      {"an extension without a size", 400, chunked(";a=b\r\n")},
      {"LF in an extension", 400, chunked("5;a\nhello\r\n0\r\n\r\n")},
      {"CR in an extension", 400, chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")},
      {"LF in a quoted extension", 400, chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")},
      {"an endless extension", 400, chunked("5;" + std::string(5000, 'a') + "\r\nhello\r\n0\r\n\r\n")},
      {"a folded trailer", 400, chunked("0\r\nX-A: b\r\n c\r\n\r\n")},
      {"LF in trailers", 400, chunked("0\r\nX-A: b\n\r\n")},
      {"a trailer without a name", 400, chunked("0\r\n: b\r\n\r\n")},
      {"LF lines", 400, "GET / HTTP/1.1\nHost: a\n\n"},
      {"one LF line", 400, "GET / HTTP/1.1\r\nHost: a\nX-B: c\r\n\r\n"},
      {"an LF that ends the head", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"CR in a value", 400, with("X-A: b\rc\r\n")},
      {"CR in a name", 400, with("X\r-A: b\r\n")},
      {"CR CR LF", 400, with("X-A: b\r\r\n")},
      {"NUL in a value", 400, with("X-A: b\0c\r\n"s)},
      {"DEL in a value", 400, with("X-A: b\x7f\r\n")},
      {"NUL in a name", 400, with("X\0A: b\r\n"s)},
      {"an octet past ASCII in a name", 400, with("X-\xe9: b\r\n")},
      {"a blank in a name", 400, with("X A: b\r\n")},
      {"an empty name", 400, with(": b\r\n")},
      {"no colon", 400, with("X-A\r\n")},
      {"a blank before the first field", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"a blank line of blanks", 400, "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"},
      {"two empty lines first", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"LF first", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a blank first", 400, line(" GET / HTTP/1.1")},
      {"no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"two Hosts on 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"an empty Host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"a list as Host", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"a path in Host", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a user in Host", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
      {"a port that is none", 400, "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"},
      {"half an IPv6 Host", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
      {"HTTP/1.2", 505, line("GET / HTTP/1.2")},
      {"HTTP/2.0", 505, line("GET / HTTP/2.0")},
      {"HTTP/0.9", 505, line("GET / HTTP/0.9")},
      {"no version", 400, line("GET /")},
      {"lower case version", 400, line("GET / http/1.1")},
      {"a version too long", 400, line("GET / HTTP/1.10")},
      {"a version without a dot", 400, line("GET / HTTP/11")},
      {"a blank after the version", 400, line("GET / HTTP/1.1 ")},
      {"a fragment", 400, line("GET /a#b HTTP/1.1")},
      {"a blank in the target", 400, line("GET /a b HTTP/1.1")},
      {"two blanks", 400, line("GET  / HTTP/1.1")},
      {"a tab between", 400, line("GET\t/ HTTP/1.1")},
      {"no target", 400, line("GET HTTP/1.1")},
      {"a target without a slash", 400, line("GET a HTTP/1.1")},
      {"* for GET", 400, line("GET * HTTP/1.1")},
      {"%00", 400, line("GET /a%00b HTTP/1.1")},
      {"half an escape", 400, line("GET /a%2 HTTP/1.1")},
      {"no escape", 400, line("GET /%zz HTTP/1.1")},
      {"an octet past ASCII in the target", 400, line("GET /\xc3\xa9 HTTP/1.1")},
      {"a backslash", 400, line("GET /a\\b HTTP/1.1")},
      {"NUL in the target", 400, line("GET /\0 HTTP/1.1"s)},
      {"another scheme", 400, line("GET ftp://a/ HTTP/1.1")},
      {"a user in the target", 400, line("GET http://u@a/ HTTP/1.1")},
      {"no authority in the target", 400, line("GET http:///a HTTP/1.1")},
      {"an unknown method", 501, line("BREW / HTTP/1.1")},
      {"a lower case method", 501, line("get / HTTP/1.1")},
      {"RTSP's method", 501, line("DESCRIBE / HTTP/1.1")},
      {"CONNECT", 501, line("CONNECT a:80 HTTP/1.1")},
      {"TRACE", 501, line("TRACE / HTTP/1.1")},
      {"a method that is no token", 400, line("G@T / HTTP/1.1")},
      {"an expectation nobody knows", 417, with("Expect: 200-ok\r\n")},
      {"a request line without end", 414, "GET /" + std::string(70000, 'a')},
      {"a request line too long", 414, line("GET /" + std::string(70000, 'a') + " HTTP/1.1")},
      {"a field too long", 431, with("X-A: " + std::string(70000, 'b') + "\r\n")},
      {"fields too long together", 431, with([] {
         std::string all;
         for (int i = 0; i < 700; ++i) all += "X-A: " + std::string(100, 'b') + "\r\n";
         return all;
       }())},
      {"too many fields", 431, with([] {
         std::string all;
         for (int i = 0; i < 1100; ++i) all += "A: b\r\n";
         return all;
       }())},
      {"TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"s},
      {"the HTTP/2 preface in pieces", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
  };
}

TEST(Http1Server, RefusesMalformedRequests) {
  std::vector<Bad> all = bad_requests();
  EXPECT_GE(all.size(), 100u);
  for (const Bad& bad : all) {
    Served s;
    s.send(bad.octets);
    std::string answer = s.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status) + " ")) << bad.why << ": " << answer;
    EXPECT_TRUE(contains(answer, "connection: close\r\n")) << bad.why;
    EXPECT_EQ(count_of(answer, "date: "), 1u) << bad.why;
    s.close();
    EXPECT_TRUE(s.wait_for_end()) << bad.why;
    EXPECT_EQ(s.handler.served, 0) << bad.why;
  }
}

TEST(Http1Server, RefusesMalformedRequestsOctetByOctetToo) {
  for (const Bad& bad : bad_requests()) {
    if (bad.octets.size() > 300) continue;
    Served s;
    std::thread drip([&] {
      for (char c : bad.octets) {
        if (s.ended) break;
        s.send({&c, 1});
        std::this_thread::sleep_for(20us);
      }
    });
    std::string answer = s.read_to_end();
    drip.join();
    s.close();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status) + " ")) << bad.why << ": " << answer;
    EXPECT_TRUE(s.wait_for_end()) << bad.why;
  }
}

TEST(Http1Server, RefusedAfterAGoodOne) {
  Served s;
  s.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string answers = s.read_to_end();
  EXPECT_EQ(count_of(answers, "HTTP/1.1 200"), 1u);
  EXPECT_EQ(count_of(answers, "HTTP/1.1 400"), 1u);
  EXPECT_EQ(s.handler.served, 1);
}

}  // namespace
}  // namespace duplex::http
