// Calls that wait for a peer that cannot be reached.
#include <unistd.h>

#include <fstream>

#include "client/fake_peer.h"

namespace duplex::client {
namespace {

TEST(WaitForReady, ACallWaitsForAPeerThatComesUp) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    for (int count : {1, 3}) {
      Peer peer(ctx, addresses(count));
      const Time start = ctx.loop().now();
      for (int n = 1; n <= count; ++n) {
        Node& node = peer.node(n);
        node.answer = [&](Context& own, Call& c) -> Task<Outcome> {
          if (own.loop().now() < start + 30s) {
            node.failing_until = after(own.loop().now(), 3s);  // the pool's own pause
            co_return co_await refuses()(own, c);
          }
          co_return Outcome();
        };
      }
      Outcome at_once = co_await peer.call();
      EXPECT_EQ(at_once.status.code(), Code::kUnavailable);
      Context own(peer.ctx());
      Route route(true);
      own.put(route);
      for (const Method* method : {&kUnary, &kStream}) {
        Outcome outcome = co_await peer.call(own, *method);
        EXPECT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
        EXPECT_GE(ctx.loop().now(), start + 30s);
        EXPECT_LE(ctx.loop().now(), start + 34s);
      }
      EXPECT_LE(peer.node(1).calls, 60) << "with the pool's pauses between, not in a hurry";
      co_await peer.end();
    }
  });
}

TEST(WaitForReady, EndsWithTheDeadlineAndSaysWhatWasWrong) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    Peer peer(ctx, addresses(2));
    for (int n : {1, 2}) peer.node(n).answer = refuses();
    Context own(peer.ctx(), 5s);
    Route route(true);
    own.put(route);
    Outcome outcome = co_await peer.call(own);
    EXPECT_EQ(outcome.status.code(), Code::kDeadlineExceeded);
    EXPECT_NE(outcome.status.message().find("refused"), std::string::npos) << outcome.status.message();
    EXPECT_TRUE(outcome.unsent);
    // What an endpoint took and failed is not waited for.
    for (int n : {1, 2}) peer.node(n).answer = fails(Status::unavailable("lost"));
    Context again(peer.ctx());
    again.put(route);
    Outcome failed = co_await peer.call(again);
    EXPECT_EQ(failed.status.message(), "lost");
    co_await peer.end();
  });
}

TEST(WaitForReady, ACallWaitsForEndpointsToBeFound) {
  on_virtual_time([](Context& ctx) -> Task<void> {
    const std::string path = testing::TempDir() + "later-" + std::to_string(getpid()) + ".yaml";
    Peer peer(ctx, "file:" + path);
    Context own(peer.ctx(), 1min);
    Route route(true);
    own.put(route);
    Scope beside(own);
    beside.spawn([&](Context& later) -> Task<void> {
      static_cast<void>(co_await sleep(later, 10s));
      std::ofstream(path) << "- 10.0.0.1:80\n";
    });
    const Time start = ctx.loop().now();
    Outcome outcome = co_await peer.call(own);
    EXPECT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
    EXPECT_GE(ctx.loop().now(), start + 10s);
    EXPECT_LE(ctx.loop().now(), start + 12s);
    co_await beside.join();
    ::unlink(path.c_str());
    co_await peer.end();
  });
}

}  // namespace
}  // namespace duplex::client
