// Our HTTP/2 server, octet for octet: what RFC 9113 says a connection or a stream must break at, and what it must not.
#include <gtest/gtest.h>

#include "duplex/http/connection.h"
#include "duplex/runtime/run.h"
#include "http/echo_testing.h"
#include "http/http2_testing.h"

namespace duplex::http {
namespace {

// Our server on a loop of its own, and the peer.
class ServedHttp2 {
 public:
  explicit ServedHttp2(Limits limits = {}, std::initializer_list<SettingValue> settings = {}) : ServedHttp2(limits, 0) {
    peer.send(std::string(kHttp2Preface) + settings2(settings));
    while (std::optional<Frame2> frame = peer.next())
      if (frame->is(FrameType::kSettings) && (frame->flags & kFlagAck)) break;
  }
  // Without a preface.
  static ServedHttp2 silent(Limits limits = {}) { return ServedHttp2(limits, 0); }
  ~ServedHttp2() {
    peer.close();
    thread_.stop();
  }

  Echo handler;
  std::atomic<bool> ended{false};

 private:
  ServedHttp2(const Limits& limits, int) {
    options_.limits = limits;
    options_.handler = &handler;
    ::fcntl(sockets_.server, F_SETFL, O_NONBLOCK);
    thread_.spawn([this](Context& ctx) -> Task<void> {
      co_await serve_connection(ctx, sockets_.server, "test:1", options_, &connection_);
      ended = true;
    });
  }
  struct Sockets {
    Sockets() {
      int fds[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
      client = fds[0];
      server = fds[1];
    }
    int client, server;
  };
  Sockets sockets_;
  ServerOptions options_;
  ServerConnection* connection_ = nullptr;
  LoopThread thread_;

 public:
  template <class F>
  void on_loop(F f) {
    std::atomic<bool> done{false};
    thread_.loop().post([&] {
      f(connection_);
      done = true;
    });
    while (!done) std::this_thread::yield();
  }
  Peer2Frames peer{sockets_.client};
};

// The streams that the rows below start from.
std::string open_stream(uint32_t id) { return headers2(id, request2("POST", "/wait"), kFlagEndHeaders); }
std::string half_closed(uint32_t id) { return headers2(id, request2("GET", "/wait"), kWhole); }
std::string reset_by_peer(uint32_t id) { return open_stream(id) + rst2(id, Http2Error::kCancel); }
std::string reset_by_us(uint32_t id) { return open_stream(id) + window2(id, 0); }

struct Row {
  const char* what;
  std::string octets;
  std::string verdict;
};

void hold(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    ServedHttp2 served;
    served.peer.send(row.octets);
    EXPECT_EQ(served.peer.verdict(), row.verdict);
  }
}

const std::string kProtocol = "connection PROTOCOL_ERROR", kSize = "connection FRAME_SIZE_ERROR",
                  kFlow = "connection FLOW_CONTROL_ERROR", kClosed = "connection STREAM_CLOSED",
                  kCompression = "connection COMPRESSION_ERROR", kFine = "fine";

TEST(Http2Server, OfAFrameOnAStreamThatIsIdle) {  // section 5.1
  hold({{"DATA", data2(1, "x"), kProtocol},
        {"RST_STREAM", rst2(1, Http2Error::kCancel), kProtocol},
        {"WINDOW_UPDATE", window2(1, 1), kProtocol},
        {"CONTINUATION", frame2(FrameType::kContinuation, kFlagEndHeaders, 1, ""), kProtocol},
        {"PRIORITY", frame2(FrameType::kPriority, 0, 1, u32(0) + "x"), kFine},
        {"HEADERS on a stream of the server's", headers2(2, request2("GET", "/"), kWhole), kProtocol},
        {"DATA on a stream of the server's", data2(2, "x"), kProtocol}});
}

TEST(Http2Server, OfAFrameOnAStreamThatIsHalfClosed) {  // section 5.1
  hold({{"DATA", half_closed(1) + data2(1, "x"), "stream 1 STREAM_CLOSED"},
        {"HEADERS", half_closed(1) + headers2(1, {{"a", "b"}}, kWhole), "stream 1 STREAM_CLOSED"},
        {"WINDOW_UPDATE", half_closed(1) + window2(1, 1), kFine},
        {"PRIORITY", half_closed(1) + frame2(FrameType::kPriority, 0, 1, u32(0) + "x"), kFine},
        {"RST_STREAM", half_closed(1) + rst2(1, Http2Error::kCancel), kFine}});
}

TEST(Http2Server, OfAFrameOnAStreamThatThePeerHasReset) {  // section 5.1
  hold({{"DATA", reset_by_peer(1) + data2(1, "x"), kClosed},
        {"HEADERS", reset_by_peer(1) + headers2(1, {{"a", "b"}}, kWhole), kClosed},
        {"WINDOW_UPDATE", reset_by_peer(1) + window2(1, 1), kFine},
        {"PRIORITY", reset_by_peer(1) + frame2(FrameType::kPriority, 0, 1, u32(0) + "x"), kFine},
        {"RST_STREAM", reset_by_peer(1) + rst2(1, Http2Error::kCancel), kFine}});
}

TEST(Http2Server, OfAFrameOnAStreamThatWeHaveReset) {  // section 5.1: it may have been on its way
  const std::string reset = "stream 1 PROTOCOL_ERROR";
  hold({{"DATA", reset_by_us(1) + data2(1, "x", kFlagEndStream), reset},
        {"HEADERS", reset_by_us(1) + headers2(1, {{"a", "b"}}, kWhole), reset},
        {"WINDOW_UPDATE", reset_by_us(1) + window2(1, 1), reset},
        {"RST_STREAM", reset_by_us(1) + rst2(1, Http2Error::kCancel), reset},
        {"a window too large", reset_by_us(1) + window2(1, 0x7fffffff), reset}});
}

TEST(Http2Server, OfAFrameOnAStreamThatHasEnded) {  // section 5.1
  const std::vector<Row> rows = {{"DATA", data2(1, "x"), kClosed},
                                 {"HEADERS", headers2(1, request2("GET", "/"), kWhole), kClosed},
                                 {"WINDOW_UPDATE", window2(1, 1), kFine},
                                 {"RST_STREAM", rst2(1, Http2Error::kCancel), kFine},
                                 {"PRIORITY", frame2(FrameType::kPriority, 0, 1, u32(0) + "x"), kFine}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    ServedHttp2 served;
    served.peer.send(headers2(1, request2("GET", "/"), kWhole));
    EXPECT_EQ(served.peer.answer(1), "200 GET / x\n");
    served.peer.send(row.octets);
    EXPECT_EQ(served.peer.verdict(), row.verdict);
  }
}

TEST(Http2Server, StreamIdsGrow) {  // section 5.1.1
  hold({{"one that was jumped over", half_closed(5) + half_closed(3), kProtocol},
        {"DATA of one that was jumped over", half_closed(5) + data2(3, "x"), kProtocol},
        {"a large one", half_closed(0x7fffffff), kFine},
        {"one after the largest", half_closed(0x7fffffff) + half_closed(0x7ffffffd), kProtocol},
        {"stream 0", frame2(FrameType::kHeaders, kWhole, 0, block2(request2("GET", "/"))), kProtocol}});
}

TEST(Http2Server, MoreStreamsThanItAllowsAreRefused) {  // section 5.1.2
  Limits limits;
  limits.max_streams = 2;
  ServedHttp2 served(limits);
  served.peer.send(half_closed(1) + half_closed(3) + half_closed(5));
  EXPECT_EQ(served.peer.verdict(), "stream 5 REFUSED_STREAM");
  served.peer.send(rst2(1, Http2Error::kCancel));
  EXPECT_TRUE(soon([&] { return served.handler.cancelled == 1; }));
  served.peer.send(headers2(7, request2("GET", "/"), kWhole));
  EXPECT_EQ(served.peer.answer(7), "200 GET / x\n");
}

TEST(Http2Server, OfAFramesSize) {  // section 4.2
  hold({{"larger than we take", frame2(FrameType::kData, 0, 1, std::string(kMaxFrameSize + 1, 'x')), kSize},
        {"of a type that is not known", frame2(FrameType{99}, 0, 0, std::string(kMaxFrameSize + 1, 'x')), kSize},
        {"RST_STREAM of 3", open_stream(1) + frame2(FrameType::kRstStream, 0, 1, "xxx"), kSize},
        {"PRIORITY of 4", open_stream(1) + frame2(FrameType::kPriority, 0, 1, "xxxx"), "stream 1 FRAME_SIZE_ERROR"},
        {"PING of 7", frame2(FrameType::kPing, 0, 0, "1234567"), kSize},
        {"PING of 9", frame2(FrameType::kPing, 0, 0, "123456789"), kSize},
        {"SETTINGS of 5", frame2(FrameType::kSettings, 0, 0, "12345"), kSize},
        {"an acknowledgement with a payload", frame2(FrameType::kSettings, kFlagAck, 0, setting2(Setting{99}, 0)),
         kSize},
        {"WINDOW_UPDATE of 5", frame2(FrameType::kWindowUpdate, 0, 0, "12345"), kSize},
        {"WINDOW_UPDATE of 3 on a stream", open_stream(1) + frame2(FrameType::kWindowUpdate, 0, 1, "123"), kSize},
        {"GOAWAY of 7", frame2(FrameType::kGoaway, 0, 0, "1234567"), kSize},
        {"HEADERS with half a priority", frame2(FrameType::kHeaders, kWhole | kFlagPriority, 1, "xxxx"), kSize}});
}

TEST(Http2Server, OfPadding) {  // sections 6.1 and 6.2
  const std::string whole = block2(request2("POST", "/wait"));
  const std::string zeros(200, '\0');
  auto headers = [&](uint8_t length, std::string_view padding) {
    return frame2(FrameType::kHeaders, kFlagEndHeaders | kFlagPadded, 1,
                  std::string(1, static_cast<char>(length)) + whole + std::string(padding));
  };
  auto data = [&](std::string_view payload) { return open_stream(1) + data2(1, payload, kFlagPadded); };
  hold({{"HEADERS", headers(200, zeros), kFine},
        {"HEADERS with a padding of none", headers(0, ""), kFine},
        {"HEADERS with more padding than payload", headers(255, ""), kProtocol},
        {"DATA", data(std::string("\3abc\0\0\0", 7)), kFine},
        {"DATA of padding alone", data(std::string("\3\0\0\0", 4)), kFine},
        {"DATA with as much padding as payload", data(std::string("\3\0\0", 3)), kProtocol},
        {"DATA without the length of its padding", data(""), kProtocol}});
}

TEST(Http2Server, OfAHeaderBlockInPieces) {  // sections 4.3, 6.2 and 6.10
  const std::string whole = block2(request2("GET", "/wait"));
  const std::string begun = frame2(FrameType::kHeaders, kFlagEndStream, 1, whole.substr(0, 5));
  auto more = [&](std::string_view part, uint8_t flags, uint32_t id = 1) {
    return frame2(FrameType::kContinuation, flags, id, part);
  };
  std::string octet_by_octet = frame2(FrameType::kHeaders, kFlagEndStream, 1, "");
  const std::string small = block2({{":method", "GET"}, {":scheme", "h"}, {":path", "/"}});
  for (size_t i = 0; i < small.size(); i += 2) octet_by_octet += more(small.substr(i, 2), 0);
  octet_by_octet += more("", kFlagEndHeaders);
  const std::string end = more(whole.substr(5), kFlagEndHeaders);
  hold({{"in two", begun + end, kFine},
        {"with empty ones between", begun + more("", 0) + more("", 0) + end, kFine},
        {"in many", octet_by_octet, kFine},
        {"another stream's", begun + more(whole.substr(5), kFlagEndHeaders, 3), kProtocol},
        {"a frame between", begun + ping2("12345678") + end, kProtocol},
        {"a frame of an unknown type between", begun + frame2(FrameType{99}, 0, 0, "") + end, kProtocol},
        {"HEADERS between", begun + half_closed(3), kProtocol},
        {"one after the end", half_closed(1) + more("", kFlagEndHeaders), kProtocol},
        {"one after DATA", open_stream(1) + data2(1, "x") + more("", kFlagEndHeaders), kProtocol}});
}

TEST(Http2Server, OfABlockThatCannotBeDecoded) {  // section 4.3
  auto block = [](std::string_view octets) { return frame2(FrameType::kHeaders, kWhole, 1, octets); };
  hold({{"an index of nothing", block("\xff\x7f"), kCompression},
        {"index 0", block("\x80"), kCompression},
        {"a string that ends too late", block(std::string("\0\x05:pa", 5)), kCompression},
        {"a table larger than ours", block("\x3f\xe2\x1f\x82\x84\x86"), kCompression},
        {"on a stream that has been reset", reset_by_us(1) + block("\x80"), kCompression}});
}

TEST(Http2Server, OfSettings) {  // section 6.5
  auto settings = [](Setting id, uint32_t value) { return settings2({{id, value}}); };
  hold({{"on a stream", frame2(FrameType::kSettings, 0, 1, ""), kProtocol},
        {"ENABLE_PUSH 1", settings(Setting::kEnablePush, 1), kFine},
        {"ENABLE_PUSH 2", settings(Setting::kEnablePush, 2), kProtocol},
        {"INITIAL_WINDOW_SIZE 2^31 - 1", settings(Setting::kInitialWindowSize, 0x7fffffff), kFine},
        {"INITIAL_WINDOW_SIZE 2^31", settings(Setting::kInitialWindowSize, 0x80000000), kFlow},
        {"MAX_FRAME_SIZE 16384", settings(Setting::kMaxFrameSize, 16384), kFine},
        {"MAX_FRAME_SIZE 2^24 - 1", settings(Setting::kMaxFrameSize, 0xffffff), kFine},
        {"MAX_FRAME_SIZE 16383", settings(Setting::kMaxFrameSize, 16383), kProtocol},
        {"MAX_FRAME_SIZE 2^24", settings(Setting::kMaxFrameSize, 0x1000000), kProtocol},
        {"one that is not known", settings(Setting{0x1234}, 7), kFine},
        {"an acknowledgement of nothing", frame2(FrameType::kSettings, kFlagAck, 0, ""), kFine}});
}

TEST(Http2Server, OfPingAndGoaway) {  // sections 6.7 and 6.8
  hold({{"PING on a stream", frame2(FrameType::kPing, 0, 1, "12345678"), kProtocol},
        {"an acknowledgement of nothing", ping2("12345678", kFlagAck), kFine},
        {"GOAWAY on a stream", frame2(FrameType::kGoaway, 0, 1, u32(0) + u32(0)), kProtocol}});
}

TEST(Http2Server, OfWindows) {  // section 6.9
  const std::string largest = window2(0, 0x7fffffff - 65535);
  hold({{"an increment of 0 on the connection", window2(0, 0), kProtocol},
        {"an increment of 0 on a stream", open_stream(1) + window2(1, 0), "stream 1 PROTOCOL_ERROR"},
        {"the largest window of the connection", largest, kFine},
        {"one more", largest + window2(0, 1), kFlow},
        {"the largest window of a stream", open_stream(1) + window2(1, 0x7fffffff - 65535), kFine},
        {"one more of a stream", open_stream(1) + window2(1, 0x7fffffff - 65534), "stream 1 FLOW_CONTROL_ERROR"},
        {"the reserved bit", window2(0, 0x80000001), kFine},
        {"a stream's window too large by SETTINGS",
         open_stream(1) + window2(1, 0x7fffffff - 65535) + settings2({{Setting::kInitialWindowSize, 65536}}), kFlow}});
}

TEST(Http2Server, MoreDataThanAWindowHasIsAnError) {  // section 6.9.1
  const std::string full(16384, 'x');
  std::string window;
  for (int i = 0; i < 4; ++i) window += data2(1, full);
  hold({{"a stream's window", open_stream(1) + window, kFine},
        {"one octet more", open_stream(1) + window + data2(1, "x"), "stream 1 FLOW_CONTROL_ERROR"},
        {"an octet of padding more", open_stream(1) + window + data2(1, std::string(1, '\0'), kFlagPadded),
         "stream 1 FLOW_CONTROL_ERROR"}});
}

TEST(Http2Server, OfFramesThatMustNotCome) {
  hold({{"PUSH_PROMISE", open_stream(1) + frame2(FrameType::kPushPromise, kFlagEndHeaders, 1, u32(2)), kProtocol},
        {"DATA on stream 0", data2(0, "x"), kProtocol},
        {"RST_STREAM on stream 0", rst2(0, Http2Error::kCancel), kProtocol},
        {"PRIORITY on stream 0", frame2(FrameType::kPriority, 0, 0, u32(0) + "x"), kProtocol},
        {"a stream that depends on itself", frame2(FrameType::kPriority, 0, 1, u32(1) + "x"), kProtocol},
        {"a type that is not known", frame2(FrameType{99}, 0xff, 77, "whatever"), kFine},
        {"flags that mean nothing", frame2(FrameType::kPing, 0xfe, 0, "12345678"), kFine}});
}

TEST(Http2Server, TheFirstFrameIsSettings) {  // section 3.4
  const std::vector<Row> rows = {
      {"PING", ping2("12345678"), kProtocol},
      {"an acknowledgement", frame2(FrameType::kSettings, kFlagAck, 0, ""), kProtocol},
      {"HEADERS", half_closed(1), kProtocol},
      {"SETTINGS", settings2(), kFine},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    ServedHttp2 served = ServedHttp2::silent();
    served.peer.send(std::string(kHttp2Preface) + row.octets);
    EXPECT_EQ(served.peer.verdict(), row.verdict);
  }
}

TEST(Http2Server, AMalformedRequestIsResetAndTheConnectionGoesOn) {  // section 8.1.1
  const Fields2 get = request2("GET", "/");
  auto with = [&](std::string name, std::string value) {
    Fields2 fields = get;
    fields.emplace_back(std::move(name), std::move(value));
    return headers2(1, fields, kWhole);
  };
  auto post = [&](std::string length) {
    Fields2 fields = request2("POST", "/wait");
    fields.emplace_back("content-length", std::move(length));
    return headers2(1, fields, kFlagEndHeaders);
  };
  const std::string trailers = headers2(1, {{"a", "b"}}, kWhole);
  const std::string reset = "stream 1 PROTOCOL_ERROR";
  hold({{"a name in upper case", with("A", "b"), reset},
        {"connection", with("connection", "close"), reset},
        {"te", with("te", "gzip"), reset},
        {"a host that is another", with("host", "y"), reset},
        {"no path", headers2(1, {{":method", "GET"}, {":scheme", "http"}}, kWhole), reset},
        {"a response", headers2(1, {{":status", "200"}}, kWhole), reset},
        {"nothing", headers2(1, {}, kWhole), reset},
        {"a length without a body", with("content-length", "1"), reset},
        {"less than the length", post("4") + data2(1, "abc", kFlagEndStream), reset},
        {"more than the length", post("2") + data2(1, "abc"), reset},
        {"less than the length, and trailers", post("4") + data2(1, "abc") + trailers, reset},
        {"the length", post("3") + data2(1, "abc", kFlagEndStream), kFine},
        {"the length in pieces with padding",
         post("3") + data2(1, "ab") + data2(1, std::string("\2c\0\0", 4), kFlagPadded | kFlagEndStream), kFine},
        {"trailers", post("3") + data2(1, "abc") + trailers, kFine},
        {"trailers that are not the end", post("3") + data2(1, "abc") + headers2(1, {{"a", "b"}}, kFlagEndHeaders),
         reset},
        {"trailers with a pseudo-header field", post("3") + data2(1, "abc") + headers2(1, {{":path", "/"}}, kWhole),
         reset}});
}

TEST(Http2Server, AHostThatIsTheAuthorityIsFine) {
  ServedHttp2 served;
  Fields2 fields = request2("GET", "/");
  fields.emplace_back("host", "X");
  served.peer.send(headers2(1, fields, kWhole));
  EXPECT_EQ(served.peer.answer(1), "200 GET / x\n");
}

TEST(Http2Server, WhatIsMalformedLeavesTheTableOfFieldsAsThePeerHasIt) {
  ServedHttp2 served;
  // Enters the table, then is malformed; the next request takes it from there.
  const std::string enters = "\x40" + hpack_text("x-a") + hpack_text("kept");
  served.peer.send(frame2(FrameType::kHeaders, kWhole, 1, enters + block2({{"BAD", "x"}})));
  EXPECT_EQ(served.peer.verdict(), "stream 1 PROTOCOL_ERROR");
  served.peer.send(frame2(FrameType::kHeaders, kWhole, 3, block2(request2("GET", "/fields")) + "\xbe"));
  EXPECT_EQ(served.peer.answer(3), "200 GET /fields x\nx-a=kept\n");
}

TEST(Http2Server, AHeadThatIsTooLargeIsAnsweredAndTheConnectionGoesOn) {  // section 10.5.1
  Limits limits;
  limits.max_head = 4096;
  ServedHttp2 served(limits);
  Fields2 fields = request2("GET", "/");
  fields.emplace_back("a", std::string(5000, 'x'));
  served.peer.send(headers2(1, fields, kWhole));
  EXPECT_EQ(served.peer.answer(1), "431 ");
  served.peer.send(headers2(3, request2("GET", "/"), kWhole));
  EXPECT_EQ(served.peer.answer(3), "200 GET / x\n");
  EXPECT_EQ(served.handler.served, 1);
}

TEST(Http2Server, ARequestInPiecesOfAnOctetIsTheSame) {
  ServedHttp2 served = ServedHttp2::silent();
  const std::string octets =
      std::string(kHttp2Preface) + settings2() +
      frame2(FrameType::kHeaders, kFlagEndHeaders | kFlagPriority | kFlagPadded, 1,
             std::string("\2") + u32(0) + "w" + block2(request2("POST", "/")) + std::string(2, '\0')) +
      data2(1, "hel") + data2(1, std::string("\1lo\0", 4), kFlagPadded) + headers2(1, {{"sum", "7"}}, kWhole);
  for (char c : octets) {
    served.peer.send({&c, 1});
    std::this_thread::yield();
  }
  EXPECT_EQ(served.peer.answer(1), "200 POST / x\ntrailer sum=7\nhello");
}

TEST(Http2Server, CreditComesBackForAllThatWasSent) {
  ServedHttp2 served;
  served.peer.send(headers2(1, request2("POST", "/stream"), kFlagEndHeaders));
  int64_t connection = 1 << 20, stream = 65536;
  size_t sent = 0, came = 0;
  const std::string payload = std::string("\xff", 1) + std::string(1000, 'x') + std::string(255, '\0');  // padded
  served.peer.send(window2(0, 1 << 30) + window2(1, 1 << 30));
  // Many times what the windows held at first: it goes on only if both are given back, padding and all.
  while (sent < 4'000'000) {
    const auto size = static_cast<int64_t>(payload.size());
    if (connection >= size && stream >= size) {
      ASSERT_TRUE(served.peer.send(data2(1, payload, kFlagPadded)));
      connection -= size;
      stream -= size;
      sent += 1000;
      continue;
    }
    std::optional<Frame2> frame = served.peer.next();
    ASSERT_TRUE(frame);
    if (frame->is(FrameType::kWindowUpdate)) (frame->stream ? stream : connection) += frame->number();
    if (frame->is(FrameType::kData)) came += frame->payload.size();
    ASSERT_FALSE(frame->is(FrameType::kRstStream) || frame->is(FrameType::kGoaway));
  }
  served.peer.send(data2(1, "", kFlagEndStream));
  while (std::optional<Frame2> frame = served.peer.next()) {
    if (frame->is(FrameType::kData)) came += frame->payload.size();
    if (frame->end_stream() && frame->is(FrameType::kData)) break;
  }
  EXPECT_EQ(came, sent);
}

TEST(Http2Server, WhatComesForNobodyCostsTheConnectionNoCredit) {
  ServedHttp2 served;
  served.peer.send(reset_by_us(1));
  int64_t connection = 1 << 20;
  const std::string payload(16'384, 'x');
  for (int sent = 0; sent < 200; ++sent) {
    while (connection < static_cast<int64_t>(payload.size())) {
      std::optional<Frame2> frame = served.peer.next(FrameType::kWindowUpdate);
      ASSERT_TRUE(frame);
      if (frame->stream == 0) connection += frame->number();
    }
    ASSERT_TRUE(served.peer.send(data2(1, payload)));
    connection -= static_cast<int64_t>(payload.size());
  }
  EXPECT_EQ(served.peer.verdict(), kFine);
}

TEST(Http2Server, AWindowOfNothingIsWaitedFor) {  // section 6.9.2
  ServedHttp2 served({}, {{Setting::kInitialWindowSize, 0}});
  served.peer.send(headers2(1, request2("GET", "/big/1000"), kWhole));
  EXPECT_EQ(served.peer.settled(), "fine");
  for (const Frame2& f : served.peer.seen) EXPECT_FALSE(f.is(FrameType::kData));
  std::string body;
  for (int i = 0; i < 10; ++i) {
    served.peer.send(window2(1, 100));
    while (body.size() < static_cast<size_t>(100 * (i + 1))) {
      std::optional<Frame2> frame = served.peer.next(FrameType::kData);
      ASSERT_TRUE(frame);
      EXPECT_LE(frame->payload.size(), 100u);
      body += frame->payload;
    }
  }
  EXPECT_EQ(body, std::string(1000, 'b'));
}

TEST(Http2Server, AWindowThatBecameNegativeIsWaitedFor) {  // section 6.9.2
  ServedHttp2 served({}, {{Setting::kInitialWindowSize, 1000}});
  served.peer.send(headers2(1, request2("GET", "/big/3000"), kWhole));
  size_t came = 0;
  while (came < 1000) {
    std::optional<Frame2> frame = served.peer.next(FrameType::kData);
    ASSERT_TRUE(frame);
    came += frame->payload.size();
  }
  served.peer.send(settings2({{Setting::kInitialWindowSize, 100}}));  // 900 below nothing
  served.peer.send(window2(1, 900));                                  // nothing
  EXPECT_EQ(served.peer.settled(), "fine");
  for (const Frame2& f : served.peer.seen) EXPECT_FALSE(f.is(FrameType::kData));
  served.peer.send(window2(1, 1));
  std::optional<Frame2> frame = served.peer.next(FrameType::kData);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload.size(), 1u);
  served.peer.send(settings2({{Setting::kInitialWindowSize, 1'000'000}}));
  came += 1;
  while (came < 3000) {
    frame = served.peer.next(FrameType::kData);
    ASSERT_TRUE(frame);
    came += frame->payload.size();
  }
  EXPECT_EQ(came, 3000u);
}

TEST(Http2Server, AHeadAnswerIgnoresTheWindow) {
  ServedHttp2 served({}, {{Setting::kInitialWindowSize, 0}});
  served.peer.send(headers2(1, request2("GET", "/empty"), kWhole));
  EXPECT_EQ(served.peer.answer(1), "204 ");
  served.peer.send(headers2(3, request2("HEAD", "/big/100000"), kWhole));
  EXPECT_EQ(served.peer.answer(3), "200 ");
}

TEST(Http2Server, TrailersFollowTheLastOctetOfTheBody) {
  ServedHttp2 served({}, {{Setting::kInitialWindowSize, 1}});
  served.peer.send(headers2(1, request2("GET", "/trailers"), kWhole));
  for (int i = 0; i < 3; ++i) {
    served.peer.send(window2(1, 1));
    EXPECT_EQ(served.peer.settled(), "fine");
  }
  std::optional<Frame2> last;
  for (const Frame2& f : served.peer.seen)
    if (f.stream == 1) last = f;
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->is(FrameType::kHeaders));
  EXPECT_TRUE(last->end_stream());
}

TEST(Http2Server, AnAnswerBeforeTheRequestsEndIsFollowedByAResetWithoutAnError) {  // section 8.1
  ServedHttp2 served;
  served.peer.send(headers2(1, request2("POST", "/early"), kFlagEndHeaders));
  EXPECT_EQ(served.peer.answer(1), "200 early");
  EXPECT_EQ(served.peer.verdict(), "stream 1 NO_ERROR");
  served.peer.send(data2(1, std::string(1000, 'x')));  // was on its way
  EXPECT_EQ(served.peer.verdict(), "fine");
}

TEST(Http2Server, AnInterimHeadComesBeforeTheAnswer) {
  ServedHttp2 served;
  served.peer.send(headers2(1, request2("GET", "/hint"), kWhole));
  EXPECT_EQ(served.peer.answer(1), "103 200 hinted");
}

TEST(Http2Server, AHandlerThatFailsResetsItsStreamAlone) {
  ServedHttp2 served;
  for (const char* path : {"/nothing", "/throw", "/partial"}) {
    SCOPED_TRACE(path);
    static uint32_t id = 1;
    served.peer.send(headers2(id, request2("GET", path), kWhole));
    EXPECT_TRUE(served.peer.answer(id).ends_with("reset INTERNAL_ERROR"));
    id += 2;
  }
  EXPECT_EQ(served.peer.verdict(), "fine");
}

TEST(Http2Server, ThePeersTableOfFieldsMayBeSmallOrChange) {  // RFC 7541 section 4.2
  ServedHttp2 served({}, {{Setting::kHeaderTableSize, 0}});
  // The peer's reader is told the same: it fails where our blocks use more.
  uint32_t id = 1;
  for (uint32_t size : {0u, 4096u, 100u, 1u << 20, 0u}) {
    SCOPED_TRACE(size);
    served.peer.send(settings2({{Setting::kHeaderTableSize, size}}));
    served.peer.table(size);
    for (int i = 0; i < 3; ++i, id += 2) {
      served.peer.send(headers2(id, request2("GET", "/trailers"), kWhole));
      EXPECT_TRUE(served.peer.answer(id).starts_with("200 body trailer x-sum=7"));
    }
  }
}

TEST(Http2Server, AClientThatHasSaidGoawayIsStillAnswered) {  // section 6.8: it speaks of the server's streams
  ServedHttp2 served;
  served.handler.go = false;
  served.peer.send(headers2(1, request2("GET", "/later"), kWhole) + goaway2(0, Http2Error::kNoError) +
                   headers2(3, request2("GET", "/"), kWhole));
  EXPECT_EQ(served.peer.answer(3), "200 GET / x\n");
  served.handler.go = true;
  EXPECT_EQ(served.peer.answer(1), "200 GET /later x\n");
  // It is for the client to close, when it is done.
  served.peer.send(frame2(FrameType::kPing, 0, 0, "opaque!!"));
  std::optional<Frame2> pong = served.peer.next(FrameType::kPing);
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->payload, "opaque!!");
}

TEST(Http2Server, ADrainLosesNoRequest) {  // section 6.8
  ServedHttp2 served;
  served.peer.send(headers2(1, request2("GET", "/later"), kWhole));
  EXPECT_EQ(served.peer.verdict(), "fine");
  served.on_loop([](ServerConnection* c) { c->drain(); });
  std::optional<Frame2> first = served.peer.next(FrameType::kGoaway);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->number(), kLargestId);
  std::optional<Frame2> ping = served.peer.next(FrameType::kPing);
  ASSERT_TRUE(ping);
  // It was on its way when the first GOAWAY came: it is served.
  served.peer.send(headers2(3, request2("GET", "/later"), kWhole) + ping2(ping->payload, kFlagAck));
  std::optional<Frame2> second = served.peer.next(FrameType::kGoaway);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->number(), 3u);
  // What comes after the second is not, and says nothing.
  served.peer.send(headers2(5, request2("GET", "/"), kWhole) + data2(7, "x") + window2(7, 1));
  served.handler.go = true;
  std::vector<uint32_t> ended;
  while (std::optional<Frame2> frame = served.peer.next()) {
    EXPECT_NE(frame->stream, 5u);
    if (frame->end_stream() && frame->stream) ended.push_back(frame->stream);
  }
  EXPECT_EQ(ended.size(), 2u);
  EXPECT_EQ(served.handler.served, 2);
}

TEST(Http2Server, AfterItsLastGoawayNothingNewIsServed) {
  ServedHttp2 served;
  served.peer.send(headers2(1, request2("GET", "/wait"), kWhole));
  EXPECT_EQ(served.peer.verdict(), "fine");
  served.on_loop([](ServerConnection* c) { c->cancel(Status::unavailable("the server stops")); });
  std::optional<Frame2> last = served.peer.next(FrameType::kGoaway);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->number(), 1u);
  const int before = served.handler.served;
  served.peer.send(headers2(3, request2("GET", "/"), kWhole));
  while (served.peer.next()) {
  }
  EXPECT_EQ(served.handler.served, before);
}

// Waits until the frames of `stream` have come to a reset.
std::string reset_of(Peer2Frames& peer, uint32_t stream) {
  while (std::optional<Frame2> frame = peer.next(FrameType::kRstStream))
    if (frame->stream == stream) return error_name(frame->number());
  return "the connection ended";
}

TEST(Http2Server, AnAnswerForWhichThereIsNoWindowIsGivenUp) {
  Limits limits;
  limits.send_stall = 50ms;
  ServedHttp2 served(limits, {{Setting::kInitialWindowSize, 100}});
  served.peer.send(headers2(1, request2("GET", "/big/1000"), kWhole) + headers2(3, request2("GET", "/big/50"), kWhole));
  EXPECT_EQ(reset_of(served.peer, 1), "CANCEL");
  served.peer.send(headers2(5, request2("GET", "/"), kWhole));
  EXPECT_EQ(served.peer.answer(5), "200 GET / x\n");
}

TEST(Http2Server, AWindowOfAnOctetNowAndThenIsNoProgress) {
  Limits limits;
  limits.send_stall = 50ms;
  ServedHttp2 served(limits, {{Setting::kInitialWindowSize, 1}});
  served.peer.send(headers2(1, request2("GET", "/big/20000"), kWhole));
  size_t came = 0;
  for (;;) {
    std::optional<Frame2> frame = served.peer.next();
    ASSERT_TRUE(frame);
    if (frame->is(FrameType::kRstStream)) break;
    if (!frame->is(FrameType::kData)) continue;
    ASSERT_LT(came += frame->payload.size(), 20'000u);
    std::this_thread::sleep_for(2ms);  // it dribbles
    served.peer.send(window2(1, 1));
  }
}

TEST(Http2Server, AStreamThatItsHandlerHoldsMayWait) {  // its Context decides
  Limits limits;
  limits.send_stall = 20ms;
  ServedHttp2 served(limits, {{Setting::kInitialWindowSize, 0}});
  served.peer.send(headers2(1, request2("GET", "/big/200000"), kWhole));
  EXPECT_TRUE(soon([&] { return served.handler.held.load(); }));
  // Another one of which nobody is left is reset meanwhile.
  served.peer.send(headers2(3, request2("GET", "/big/1"), kWhole));
  EXPECT_EQ(reset_of(served.peer, 3), "CANCEL");
  served.peer.send(window2(1, 200'000) + window2(0, 200'000));
  size_t came = 0;
  while (came < 200'000) {
    std::optional<Frame2> frame = served.peer.next(FrameType::kData);
    ASSERT_TRUE(frame);
    came += frame->payload.size();
  }
}

TEST(Http2Server, WhoReadsNothingIsClosed) {
  Limits limits;
  limits.send_stall = 50ms;
  ServedHttp2 served(limits, {{Setting::kInitialWindowSize, 0x7fffffff}});
  served.peer.send(window2(0, 1 << 30) + headers2(1, request2("GET", "/big/100000000"), kWhole));
  EXPECT_TRUE(soon([&] { return served.ended.load(); }));
  EXPECT_EQ(served.handler.cancelled, 1);
}

TEST(Http2Server, WhoAsksAndReadsNoAnswersIsNotReadItself) {
  ServedHttp2 served;
  constexpr uint32_t kRequests = 200'000;
  std::string some;
  uint32_t id = 1;
  // Heads alone, which no window holds back; some at a time, so that there are never more than are allowed.
  for (; id < 2 * kRequests; id += 2) {
    some += headers2(id, request2("GET", "/empty"), kWhole);
    if (id % 100 != 99) continue;
    const int before = served.handler.served;
    if (served.peer.send_while_taken(some) < some.size()) break;
    if (!soon([&] { return served.handler.served >= before + 50; }, 1s)) break;
    some.clear();
  }
  EXPECT_LT(id, 2 * kRequests) << "it took them all";
  const int served_then = served.handler.served;
  EXPECT_GT(served_then, 1000);
  // When it reads again, all is as it should be.
  int answers = 0;
  while (answers < served_then) {
    std::optional<Frame2> frame = served.peer.next();
    ASSERT_TRUE(frame);
    if (frame->is(FrameType::kHeaders)) ++answers;
  }
}

}  // namespace
}  // namespace duplex::http
