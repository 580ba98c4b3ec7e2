// The pool against servers that are scripted octet by octet.
#include "duplex/http/pool.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <future>
#include <thread>

#include "duplex/runtime/run.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

// A server on a Unix socket, blocking, on a thread of its own: the script accepts, reads and writes.
class Peer {
 public:
  using Script = std::function<void(Peer&)>;
  explicit Peer(Script script) {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("duplex-pool-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    listen_again();
    thread_ = std::thread([this, script = std::move(script)] {
      script(*this);
      for (int fd : open_) ::close(fd);
    });
  }
  ~Peer() {
    thread_.join();
    stop_listening();
  }
  void listen_again() {
    ::unlink(path_.c_str());
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path_.copy(at.sun_path, sizeof at.sun_path - 1);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listening_, 16), 0);
  }
  void stop_listening() {
    if (listening_ >= 0) ::close(listening_);
    listening_ = -1;
    ::unlink(path_.c_str());
  }
  Address address() const { return *Address::parse("unix:" + path_); }

  int accept() {
    timeval patience{5, 0};
    ::setsockopt(listening_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int fd = ::accept(listening_, nullptr, nullptr);
    EXPECT_GE(fd, 0);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    open_.push_back(fd);
    return fd;
  }
  void close(int fd) {
    std::erase(open_, fd);
    ::close(fd);
  }
  // Reads a request's head; "" at the end.
  static std::string request(int fd) {
    std::string got;
    while (!got.ends_with("\r\n\r\n")) {
      char c;
      if (::recv(fd, &c, 1, 0) <= 0) return "";
      got += c;
    }
    return got;
  }
  static void say(int fd, std::string_view text) { (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL); }
  static void answer(int fd, std::string_view body) {
    say(fd, "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  }

 private:
  std::string path_;
  int listening_ = -1;
  std::vector<int> open_;
  std::thread thread_;
};

PoolSettings http1(size_t most = 0) {
  PoolSettings s;
  s.version = Version::kHttp11;
  s.max_connections = most;
  return s;
}

Head get(std::string target = "/") {
  Head head;
  head.method = "GET";
  head.target = std::move(target);
  head.authority = "peer.test";
  head.scheme = "http";
  return head;
}

// Runs `body` with a pool to `address`, within 10 s.
void with_pool(const Address& address, PoolSettings settings, std::function<Task<void>(Context&, Pool&)> body) {
  run([&](Context& ctx) -> Task<void> {
    Context own(ctx), bounded(ctx, 10s);
    Scope scope(own);
    {
      Pool pool(scope, "peer", address, settings);
      co_await body(bounded, pool);
      EXPECT_FALSE(bounded.cancelled());
      pool.close(Status::unavailable("over"));
      own.cancel(Status::unavailable("over"));
      co_await scope.join();
    }
  });
}

// The body of an answer, or the error.
Task<std::string> read_all(Context& ctx, Exchange& x) {
  std::string body;
  while (!x.ended() || !x.body().empty()) {
    Status s = co_await wait_body(ctx, x);
    if (!s.is_ok()) co_return s.to_string() + (x.unsent() ? " (unsent)" : "");
    body += x.body().view();
    size_t count = x.body().size();
    x.body().clear();
    x.consumed(count);
  }
  co_return body;
}

Task<std::string> ask(Context& ctx, Pool& pool, std::string target = "/") {
  auto make_head = [&] { return get(target); };
  Result<Pool::Lease> lease = co_await pool.open(ctx, make_head, true);
  if (!lease) co_return lease.error().to_string();
  co_return co_await read_all(ctx, lease->exchange());
}

TEST(Http1Pool, AConnectionIsKeptForTheNextExchange) {
  Peer peer([](Peer& p) {
    int fd = p.accept();
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(Peer::request(fd), "GET /" + std::to_string(i) + " HTTP/1.1\r\nhost: peer.test\r\n\r\n");
      Peer::answer(fd, std::to_string(i));
    }
    EXPECT_EQ(Peer::request(fd), "");
  });
  with_pool(peer.address(), http1(), [](Context& ctx, Pool& pool) -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      std::string body = co_await ask(ctx, pool, "/" + std::to_string(i));
      EXPECT_EQ(body, std::to_string(i));
    }
    EXPECT_EQ(pool.load(), 0u);
  });
}

TEST(Http1Pool, EachConnectionCarriesOneExchangeAtATimeUpToTheLimit) {
  Peer peer([](Peer& p) {
    int a = p.accept(), b = p.accept();
    std::string first = Peer::request(a), second = Peer::request(b);
    Peer::answer(b, "b");
    EXPECT_NE(Peer::request(b), "");  // the third waited for this
    Peer::answer(b, "c");
    Peer::answer(a, "a");
    EXPECT_EQ(Peer::request(a), "");
  });
  with_pool(peer.address(), http1(2), [](Context& ctx, Pool& pool) -> Task<void> {
    std::string bodies;
    Scope scope(ctx);
    for (int i = 0; i < 3; ++i)
      scope.spawn([&](Context& child) -> Task<void> {
        std::string body = co_await ask(child, pool);
        bodies += body;
      });
    co_await scope.join();
    EXPECT_EQ(bodies, "bca");
  });
}

TEST(Http1Pool, OfThoseThatAreFreeTheOneUsedLastIsTaken) {
  Peer peer([](Peer& p) {
    int a = p.accept(), b = p.accept();
    EXPECT_NE(Peer::request(a), "");
    EXPECT_NE(Peer::request(b), "");
    Peer::answer(b, "b");
    Peer::answer(a, "a");
    for (int i = 0; i < 3; ++i) {
      EXPECT_NE(Peer::request(b), "");  // released after a
      Peer::answer(b, "b");
    }
  });
  with_pool(peer.address(), http1(2), [](Context& ctx, Pool& pool) -> Task<void> {
    {
      auto make_head = [] { return get(); };
      Result<Pool::Lease> a = co_await pool.open(ctx, make_head, true);
      std::optional<Pool::Lease> b;
      Result<Pool::Lease> opened = co_await pool.open(ctx, make_head, true);
      b.emplace(std::move(*opened));
      std::string body = co_await read_all(ctx, a->exchange());
      EXPECT_EQ(body, "a");
      body = co_await read_all(ctx, b->exchange());
      EXPECT_EQ(body, "b");
      {
        Pool::Lease released(std::move(*a));
      }
      const Time then = ctx.loop().now();
      while (ctx.loop().now() == then) (void)co_await yield(ctx);
      b.reset();
    }
    for (int i = 0; i < 3; ++i) {
      std::string body = co_await ask(ctx, pool);
      EXPECT_EQ(body, "b");
    }
  });
}

TEST(Http1Pool, AKeptConnectionThatTheServerClosedIsNotUsedEvenBeforeTheLoopHasHeardOfIt) {
  std::promise<void> answered, closed;
  Peer peer([&](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "one");
    answered.get_future().wait();
    p.close(fd);
    closed.set_value();
    fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "two");
  });
  with_pool(peer.address(), http1(), [&](Context& ctx, Pool& pool) -> Task<void> {
    std::string body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "one");
    answered.set_value();
    closed.get_future().wait();  // holds the loop, so that it cannot hear
    body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "two");
  });
}

TEST(Http1Pool, PartingWordsOnAKeptConnectionAreNoAnswer) {
  std::promise<void> answered, said;
  Peer peer([&](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "one");
    answered.get_future().wait();
    Peer::say(fd, "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    said.set_value();
    fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "two");
  });
  with_pool(peer.address(), http1(), [&](Context& ctx, Pool& pool) -> Task<void> {
    std::string body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "one");
    answered.set_value();
    said.get_future().wait();
    body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "two");
  });
}

TEST(Http1Pool, WhatWasSentOnAConnectionThatThenClosesMayHaveBeenSeen) {
  Peer peer([](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    p.close(fd);
  });
  with_pool(peer.address(), http1(), [](Context& ctx, Pool& pool) -> Task<void> {
    std::string body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "UNAVAILABLE: the connection was closed by the other side");
  });
}

TEST(Http1Pool, WhatCouldNotBeWrittenAtAllIsUnsent) {
  std::promise<void> opened, closed;
  Peer peer([&](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "one");
    opened.get_future().wait();
    p.close(fd);
    closed.set_value();
  });
  with_pool(peer.address(), http1(), [&](Context& ctx, Pool& pool) -> Task<void> {
    std::string body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "one");
    auto make_head = [] { return get(); };
    Result<Pool::Lease> lease = co_await pool.open(ctx, make_head, true);
    opened.set_value();
    closed.get_future().wait();  // between open() and the turn's one write
    body = co_await read_all(ctx, lease->exchange());
    EXPECT_TRUE(body.ends_with("(unsent)")) << body;
  });
}

TEST(Http1Pool, AnAnswerThatForbidsReuseOrAnExchangeLeftEarlyCostsTheConnection) {
  Peer peer([](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::say(fd, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\na");
    fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::say(fd, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nb");
    EXPECT_EQ(Peer::request(fd), "");  // the caller had enough
    fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "c");
  });
  with_pool(peer.address(), http1(), [](Context& ctx, Pool& pool) -> Task<void> {
    std::string body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "a");
    {
      auto make_head = [] { return get(); };
      Result<Pool::Lease> lease = co_await pool.open(ctx, make_head, true);
      Status s = co_await wait_body(ctx, lease->exchange());
      EXPECT_TRUE(s.is_ok());
      EXPECT_EQ(lease->exchange().body().view(), "b");
    }
    body = co_await ask(ctx, pool);
    EXPECT_EQ(body, "c");
  });
}

TEST(Http1Pool, PastMaxWaitingACallerIsRefused) {
  std::promise<void> refused;
  Peer peer([&](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    refused.get_future().wait();
    for (int i = 0; i < 2; ++i) {
      Peer::answer(fd, "x");
      if (i == 0) {
        EXPECT_NE(Peer::request(fd), "");
      }
    }
  });
  PoolSettings settings = http1(1);
  settings.max_waiting = 1;
  with_pool(peer.address(), settings, [&](Context& ctx, Pool& pool) -> Task<void> {
    std::string bodies;
    Scope scope(ctx);
    for (int i = 0; i < 2; ++i)
      scope.spawn([&](Context& child) -> Task<void> {
        std::string body = co_await ask(child, pool);
        bodies += body;
      });
    while (pool.load() < 2) (void)co_await yield(ctx);
    std::string third = co_await ask(ctx, pool);
    EXPECT_TRUE(third.starts_with("RESOURCE_EXHAUSTED: peer: 1 calls wait")) << third;
    refused.set_value();
    co_await scope.join();
    EXPECT_EQ(bodies, "xx");
  });
}

TEST(Pool, AFailureThatIsThereAtOnceIsToldAtOnce) {
  const Address nobody = *Address::parse("unix:/nonexistent/duplex.sock");
  for (Version version : {Version::kHttp11, Version::kHttp2}) {
    PoolSettings settings;
    settings.version = version;
    with_pool(nobody, settings, [](Context& ctx, Pool& pool) -> Task<void> {
      for (int i = 0; i < 3; ++i) {
        std::string told = co_await ask(ctx, pool);
        EXPECT_EQ(told,
                  "UNAVAILABLE: peer (unix:/nonexistent/duplex.sock) cannot be reached: No such file or directory");
      }
    });
  }
}

TEST(Http1Pool, AnExchangeLeftEarlyIsResetSoThatTheServerHears) {
  std::promise<void> came;
  std::promise<int> why;
  std::promise<uint16_t> port;
  std::thread server([&] {
    int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(listening, 1), 0);
    ::getsockname(listening, reinterpret_cast<sockaddr*>(&at), &size);
    port.set_value(ntohs(at.sin_port));
    int fd = ::accept(listening, nullptr, nullptr);
    EXPECT_NE(Peer::request(fd), "");
    came.set_value();
    char c;
    why.set_value(::recv(fd, &c, 1, 0) < 0 ? errno : 0);
    ::close(fd);
    ::close(listening);
  });
  const Address address = *Address::of_ip("127.0.0.1", port.get_future().get());
  with_pool(address, http1(), [&](Context& ctx, Pool& pool) -> Task<void> {
    auto make_head = [] { return get(); };
    {
      Result<Pool::Lease> lease = co_await pool.open(ctx, make_head, true);
      std::future<void> there = came.get_future();
      while (there.wait_for(0s) != std::future_status::ready) (void)co_await yield(ctx);
    }
    EXPECT_EQ(why.get_future().get(), ECONNRESET);
  });
  server.join();
}

// A server that stops listens no more but finishes what it has: whoever waits for that must not try without a pause.
TEST(Http1Pool, WhileItsOnlyConnectionIsBusyRefusedAttemptsKeepTheirDistance) {
  std::promise<void> gone, finish;
  Peer peer([&](Peer& p) {
    int fd = p.accept();
    EXPECT_NE(Peer::request(fd), "");
    p.stop_listening();
    gone.set_value();
    finish.get_future().wait();
    Peer::answer(fd, "a");
    EXPECT_NE(Peer::request(fd), "");
    Peer::answer(fd, "b");
  });
  PoolSettings settings = http1(2);
  settings.backoff_base = settings.backoff_cap = 1h;
  with_pool(peer.address(), settings, [&](Context& ctx, Pool& pool) -> Task<void> {
    std::string bodies;
    Scope scope(ctx);
    auto one = [&](Context& child) -> Task<void> {
      std::string body = co_await ask(child, pool);
      bodies += body;
    };
    scope.spawn(one);
    std::future<void> told = gone.get_future();
    while (told.wait_for(0s) != std::future_status::ready) (void)co_await yield(ctx);
    scope.spawn(one);
    // It has tried, failed and waits for the hour to end: the loop has nothing to do.
    const uint64_t turns = ctx.loop().turns();
    (void)co_await sleep(ctx, 20ms);
    EXPECT_LT(ctx.loop().turns() - turns, 20u);
    finish.set_value();
    co_await scope.join();
    EXPECT_EQ(bodies, "ab");
  });
}

}  // namespace
}  // namespace duplex::http
