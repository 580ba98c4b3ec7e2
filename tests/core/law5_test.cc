// The fifth law of service.h: who does not read is not sent to, and holds nobody else.
#include "wire.h"

namespace duplex {
namespace {

TEST(Laws, Law5_ToAReaderThatDoesNotReadAWindowArrivesAndNoMore) {
  Signal release;
  std::atomic<size_t> read{0};
  Wire wire(
      true,
      [&](Context& ctx, Call& c) -> Task<Outcome> {
        Status s = co_await release.changed(ctx, 0);
        if (!s.is_ok()) co_return s;
        for (;;) {
          NextResult m = co_await c.in->next(ctx);
          if (!m) co_return m.error();
          if (!*m) co_return Status();
          read += (*m)->bytes.size();
        }
      },
      SOCK_STREAM);
  Peer2 peer(wire.peer_fd);
  std::string all;
  while (all.size() < 300'000) all += framed(std::string(1000, 'x'));
  std::vector<int32_t> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(peer.request(all, true));
  peer.settle();
  for (int32_t id : ids) {
    EXPECT_EQ(peer.streams[id]->sent, 64u * 1024);
    EXPECT_EQ(peer.stream_window(id), 0);
  }
  // The connection's credit returned when the octets arrived (in halves of its window): another stream is not held.
  EXPECT_GE(peer.connection_window(), 1 << 19);
  release.notify();
  for (int32_t id : ids) {
    ASSERT_TRUE(peer.until_closed(id));
    EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "0");
  }
  EXPECT_EQ(read, ids.size() * (all.size() / 1005 * 1000));
}

TEST(Laws, Law5_PastFourMiBUnreadTheConnectionsCreditIsHeldToo) {
  Signal release;
  Wire wire(
      true,
      [&](Context& ctx, Call& c) -> Task<Outcome> {
        Status s = co_await release.changed(ctx, 0);
        while (s.is_ok()) {
          NextResult m = co_await c.in->next(ctx);
          if (!m) co_return m.error();
          if (!*m) break;
        }
        co_return s;
      },
      SOCK_STREAM);
  Peer2 peer(wire.peer_fd);
  std::string all;
  while (all.size() < 64 * 1024) all += framed(std::string(1000, 'x'));
  std::vector<int32_t> ids;
  for (int i = 0; i < 95; ++i) ids.push_back(peer.request(all, true));
  peer.settle();
  EXPECT_GE(peer.sent_in_all(), 4u << 20);
  EXPECT_LE(peer.sent_in_all(), (5u << 20) + 64 * 1024);
  EXPECT_LT(peer.sent_in_all(), ids.size() * 64 * 1024 - 256 * 1024);
  EXPECT_EQ(peer.connection_window(), 0);
  release.notify();
  for (int32_t id : ids) ASSERT_TRUE(peer.until_closed(id)) << id;
  peer.settle();
  EXPECT_GT(peer.connection_window(), 1 << 19);
}

// What an abandoned stream left unread is given back once, and does not count for the others.
TEST(Laws, Law5_CreditOfCancelledStreamsReturns) {
  std::atomic<int> cancelled{0};
  Wire wire(
      true,
      [&](Context& ctx, Call&) -> Task<Outcome> {
        Status s = co_await sleep(ctx, 1h);
        ++cancelled;
        co_return s;
      },
      SOCK_STREAM);
  Peer2 peer(wire.peer_fd);
  std::string all(64 * 1024, 'x');
  for (int round = 0; round < 3; ++round) {
    std::vector<int32_t> ids;
    size_t before = peer.sent_in_all();
    for (int i = 0; i < 95; ++i) ids.push_back(peer.request(all, false));
    peer.settle();
    EXPECT_GE(peer.sent_in_all() - before, 4u << 20) << round;
    EXPECT_LE(peer.sent_in_all() - before, (5u << 20) + 64 * 1024) << round;
    for (int32_t id : ids) peer.cancel(id);
    ASSERT_TRUE(peer.until([&] { return cancelled == 95 * (round + 1); })) << cancelled;
    peer.settle();
    EXPECT_GT(peer.connection_window(), 1 << 19) << round;
  }
}

TEST(Laws, Law5_ResettingSomeStreamsDoesNotUncountWhatOthersLeftUnread) {
  Wire wire(true, [&](Context& ctx, Call&) -> Task<Outcome> { co_return co_await sleep(ctx, 1h); }, SOCK_STREAM);
  Peer2 peer(wire.peer_fd);
  std::string all(64 * 1024, 'x');
  for (int i = 0; i < 50; ++i) peer.request(all, false);  // 3.1 MiB stay unread
  peer.settle();
  size_t kept = peer.sent_in_all();
  EXPECT_EQ(kept, 50u * 64 * 1024);
  size_t gone = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<int32_t> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(peer.request(all, false));
    peer.settle();
    for (int32_t id : ids) peer.cancel(id);
    peer.settle();
    gone += ids.size() * 64 * 1024;
  }
  for (int i = 0; i < 45; ++i) peer.request(all, false);
  peer.settle();
  EXPECT_LE(peer.sent_in_all() - gone, (5u << 20) + 64 * 1024);
}

TEST(Laws, Law5_TheStreamWindowGrowsWhileItsReaderKeepsUp) {
  Wire wire(
      true,
      [&](Context& ctx, Call& c) -> Task<Outcome> {
        for (;;) {
          NextResult m = co_await c.in->next(ctx);
          if (!m) co_return m.error();
          if (!*m) co_return Status();
        }
      },
      SOCK_STREAM);
  Peer2 peer(wire.peer_fd);
  std::string all;
  while (all.size() < 8 << 20) all += framed(std::string(1000, 'x'));
  int32_t id = peer.request(all, false);
  ASSERT_TRUE(peer.until([&] { return peer.streams[id]->sent == all.size(); }));
  peer.settle();
  EXPECT_GT(peer.stream_window(id), 128 * 1024);
  EXPECT_LE(peer.stream_window(id), 1 << 20);
  peer.send_more(id, "", true);
  EXPECT_TRUE(peer.until_closed(id));
}

}  // namespace
}  // namespace duplex
