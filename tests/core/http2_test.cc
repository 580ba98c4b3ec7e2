// What our server says over HTTP/2, frame by frame, to a peer of plain nghttp2.
#include <gtest/gtest.h>

#include "duplex/service/pipe.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using talk::v1::Pair;

constexpr int32_t kAnyStream = 0x7fffffff;

// Waits until something is there to read, and reads none of it.
bool something_came(int fd) {
  return soon([&] {
    int unread = 0;
    return ::ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
  });
}

TEST(Http2Wire, ARequestThatCrossesTheFirstGoawayIsAnswered) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  peer.settle();
  wire.drain();
  ASSERT_TRUE(something_came(wire.peer_fd));  // the GOAWAY is on its way, and we have not read it
  wire.let_turn(20);
  int32_t id = peer.request(framed("crossed"), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->data, framed("crossed"));
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "0");
  // The second comes when the PING has come back, and tells what was taken.
  ASSERT_TRUE(peer.until([&] { return peer.goaways.size() == 2; }));
  EXPECT_EQ(peer.goaways, (std::vector<int32_t>{kAnyStream, id}));
  EXPECT_TRUE(peer.until([&] { return peer.ended; }));
}

TEST(Http2Wire, TheSecondGoawayWaitsForThePingOrASecond) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  peer.settle();
  Time start = Clock::now();
  wire.drain();
  while (peer.goaways.size() < 2 && Clock::now() - start < 20s) peer.receive(20ms);  // sends nothing: no ack
  EXPECT_EQ(peer.goaways, (std::vector<int32_t>{kAnyStream, 0}));
  EXPECT_GE(Clock::now() - start, 900ms);
  peer.flush();
  EXPECT_TRUE(peer.until([&] { return peer.ended; }));
}

TEST(Http2Wire, AnIdleConnectionWithAnAnswerThatNobodyTakesIsClosed) {
  http::Limits limits;
  limits.idle = 50ms;
  auto large = [](Context& ctx, Call& c) -> Task<Outcome> {
    co_return co_await c.out->write(ctx, text(std::string(200'000, 'x')));
  };
  Wire wire(false, large, SOCK_STREAM, {}, limits);
  Peer2 peer(wire.peer_fd, false);
  int32_t id = peer.request(framed(""), true);
  EXPECT_TRUE(peer.until([&] { return peer.ended; }));
  EXPECT_LE(peer.streams[id]->data.size(), 65'535u);
  EXPECT_FALSE(peer.streams[id]->closed);
}

TEST(Http2Wire, AMessageOf64MiBArrivesWhole) {
  constexpr size_t kSize = 64 << 20;
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /large", [](Context& ctx, Call& c) -> Task<Outcome> {
    Buffer buffer(kSize);
    char* to = buffer.extend(kSize);
    for (size_t i = 0; i < kSize; ++i) to[i] = static_cast<char>(i * 2654435761u >> 24);
    Message message(buffer.take(), Format::kOpaque);
    co_return co_await c.out->write(ctx, std::move(message));
  });
  ASSERT_TRUE(server.start().is_ok());
  Fd fd = dial(server.addresses()[0]);
  Peer2 peer(fd.get());
  int32_t id = peer.ask("GET", "/large");
  ASSERT_TRUE(peer.until([&] { return peer.streams[id]->closed; }, 100s));
  EXPECT_EQ(peer.streams[id]->code, 0u);
  const std::string& data = peer.streams[id]->data;
  ASSERT_EQ(data.size(), kSize);
  size_t wrong = 0;
  for (size_t i = 0; i < kSize; ++i) wrong += data[i] != static_cast<char>(i * 2654435761u >> 24);
  EXPECT_EQ(wrong, 0u);
}

TEST(Http2Wire, TheAnswerToAHeadHasNoBody) {
  Server server(Pair::quiet());
  auto answers = [](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head;
    head.add("content-length", "5");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await c.out->write(ctx, text("hello"));
    co_return s;
  };
  server.listen("127.0.0.1:0").route("HEAD /x", answers).route("GET /x", answers);
  ASSERT_TRUE(server.start().is_ok());
  Fd fd = dial(server.addresses()[0]);
  Peer2 peer(fd.get());
  int32_t there = peer.ask("HEAD", "/x"), not_there = peer.ask("HEAD", "/nothing");
  ASSERT_TRUE(peer.until_closed(there));
  ASSERT_TRUE(peer.until_closed(not_there));
  for (int32_t id : {there, not_there}) {
    EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS+END"})) << id;
    EXPECT_EQ(peer.streams[id]->code, 0u) << id;
  }
  EXPECT_EQ(peer.streams[there]->fields[":status"], "200");
  EXPECT_EQ(peer.streams[there]->fields["content-length"], "5");
  EXPECT_EQ(peer.streams[not_there]->fields[":status"], "404");
  int32_t next = peer.ask("GET", "/x");  // on the same connection
  ASSERT_TRUE(peer.until_closed(next));
  EXPECT_EQ(peer.streams[next]->data, "hello");
}

TEST(Http2Wire, AnEncodingThatIsNotTakenIsUnimplementedAndToldWhatIs) {
  std::atomic<int> called{0};
  Wire wire(false, [&](Context& ctx, Call& c) {
    ++called;
    return echo(ctx, c);
  });
  Peer2 peer(wire.peer_fd);
  int32_t snappy = peer.request(framed("x"), true, {{"grpc-encoding", "snappy"}});
  int32_t identity = peer.request(framed("x"), true, {{"grpc-encoding", "identity"}});
  ASSERT_TRUE(peer.until_closed(snappy));
  ASSERT_TRUE(peer.until_closed(identity));
  EXPECT_EQ(peer.streams[snappy]->fields["grpc-status"], "12");
  EXPECT_EQ(peer.streams[snappy]->fields["grpc-accept-encoding"], "identity,gzip");
  EXPECT_TRUE(has(peer.streams[snappy]->fields["grpc-message"], "snappy"));
  EXPECT_EQ(peer.streams[identity]->fields["grpc-status"], "0");
  EXPECT_EQ(called, 1);
}

TEST(Http2Wire, AMessageThatSaysItIsCompressedWithoutAnEncodingIsInternal) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  std::string message = framed("x");
  message[0] = 1;
  int32_t id = peer.request(message, true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "13");
}

}  // namespace
}  // namespace duplex
