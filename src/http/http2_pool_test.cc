// The pool of HTTP/2 connections against a peer that does as it is told.
#include "duplex/http/pool.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duplex/runtime/run.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

Head post() {
  Head head;
  head.method = "POST";
  head.scheme = "http";
  head.authority = "a";
  head.target = "/x";
  return head;
}

TEST(Http2Pool, AConnectionThatIsFullDoesNotMakeItAskARefusingPeerWithoutPause) {
  run([](Context& ctx) -> Task<void> {
    std::vector<Fd> accepted;
    Notifier came;
    auto acceptor = std::make_unique<Acceptor>(ctx.loop(), std::move(*listen_on(*Address::parse("127.0.0.1:0"))),
                                               [&](Fd fd, std::string) {
                                                 accepted.push_back(std::move(fd));
                                                 came.notify_all();
                                               });
    Address address = *Address::parse(acceptor->address());
    Context own(ctx);
    Scope scope(own);
    Pool pool(scope, "peer", address, PoolSettings());
    Pool::MakeHead head = post;
    {
      Context patient(ctx, 20s);
      Result<Pool::Lease> first = co_await pool.open(patient, head, false);
      EXPECT_TRUE(first.has_value());
      Status s;
      while (s.is_ok() && accepted.empty()) s = co_await came.wait(patient);
      EXPECT_EQ(accepted.size(), 1u);
      // SETTINGS with MAX_CONCURRENT_STREAMS 1: the connection is full, and lives.
      std::string settings("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\1", 15);
      EXPECT_EQ(::write(accepted.back().get(), settings.data(), settings.size()), 15);
      const std::string acknowledged("\0\0\0\4\1", 5);
      std::string got;
      while (s.is_ok() && got.find(acknowledged) == got.npos) {
        char room[4096];
        ssize_t n = ::recv(accepted.back().get(), room, sizeof room, MSG_DONTWAIT);
        if (n > 0) got.append(room, static_cast<size_t>(n));
        s = co_await sleep(patient, 1ms);
      }
      EXPECT_TRUE(s.is_ok()) << s.to_string();
      acceptor.reset();  // and nobody listens any more
      Context brief(ctx, 300ms);
      uint64_t turns = ctx.loop().turns();
      Result<Pool::Lease> second = co_await pool.open(brief, head, false);
      EXPECT_FALSE(second.has_value());
      EXPECT_EQ(second.error().code(), Code::kDeadlineExceeded) << second.error().to_string();
      EXPECT_LT(ctx.loop().turns() - turns, 300u);  // some ten attempts, each of a few turns
    }
    pool.close(Status::unavailable("the test has ended"));
    own.cancel(Status::unavailable("the test has ended"));
    co_await scope.join();
    EXPECT_TRUE(pool.idle());
  });
}

}  // namespace
}  // namespace duplex::http
