// Our HTTP/2 client, octet for octet: the peer is a server that sends what it likes, right or wrong.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>

#include "duplex/http/http2_client.h"
#include "duplex/runtime/run.h"
#include "http/http2_testing.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

// Our client on a loop of its own, and the peer. What is done with the client is done on its loop, one step at a time.
class CallingHttp2 {
 public:
  explicit CallingHttp2(std::initializer_list<SettingValue> settings = {}, Limits limits = {})
      : CallingHttp2(limits, settings2(settings)) {
    EXPECT_EQ(peer.verdict(), "fine");
  }
  // A server that begins with whatever that is.
  CallingHttp2(const Limits& limits, const std::string& first) {
    ::fcntl(sockets_.client, F_SETFL, O_NONBLOCK);
    on_loop([&] {
      client = std::make_unique<Http2Client>(thread_.loop(), Connected(sockets_.client, "server:1"), limits, changed_);
    });
    peer.skip(kHttp2Preface.size());
    peer.send(first);
  }
  ~CallingHttp2() {
    on_loop([&] {
      for (Exchange* x : exchanges_) client->release(*x);
      client->close_now(Status::cancelled("the test has ended"));
    });
    on_loop([&] { client.reset(); });
    peer.close();
    thread_.stop();
  }

  template <class F>
  void on_loop(F f) {
    std::atomic<bool> done{false};
    thread_.loop().post([&] {
      f();
      done = true;
    });
    while (!done) std::this_thread::yield();
  }
  // Opens an exchange; null: there is no room.
  Exchange* open(const std::string& method = "GET", bool end = true) {
    Exchange* x = nullptr;
    on_loop([&] {
      Head head;
      head.method = method;
      head.scheme = "http";
      head.authority = "x";
      head.target = "/";
      x = client->open(head, end);
      if (x) exchanges_.push_back(x);
    });
    return x;
  }
  void release(Exchange* x) {
    on_loop([&] {
      client->release(*x);
      std::erase(exchanges_, x);
    });
  }
  // What its caller would see now: "200 body", "200 body trailer a=b", "open 200 bo", "INTERNAL", "UNAVAILABLE unsent".
  std::string told(Exchange* x) {
    std::string text;
    on_loop([&] {
      if (!x->error().is_ok()) {
        text = std::string(code_name(x->error().code())) + (x->unsent() ? " unsent" : "");
        return;
      }
      text = x->ended() ? "" : "open ";
      if (x->has_head()) text += std::to_string(x->head().status) + " ";
      text += x->body().view();
      for (Metadata::Entry e : x->trailers()) text += " trailer " + std::string(e.name) + "=" + std::string(e.value);
    });
    return text;
  }
  std::string error(Exchange* x) {
    std::string text;
    on_loop([&] { text = x->error().to_string(); });
    return text;
  }
  bool usable() {
    bool it = false;
    on_loop([&] { it = client->usable(); });
    return it;
  }

  std::unique_ptr<Http2Client> client;

 private:
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
  Notifier changed_;
  std::vector<Exchange*> exchanges_;
  LoopThread thread_;

 public:
  Peer2Frames peer{sockets_.server};
};

std::string head_of_200(uint32_t id, uint8_t flags = kFlagEndHeaders) {
  return headers2(id, {{":status", "200"}}, flags);
}

struct Row {
  const char* what;
  std::string octets;
  std::string verdict, told;
};

// An exchange of its own for each row: a GET, whole.
void hold(const std::vector<Row>& rows, const std::string& method = "GET", bool end = true) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    CallingHttp2 calling;
    Exchange* x = calling.open(method, end);
    ASSERT_TRUE(x);
    ASSERT_TRUE(calling.peer.next(FrameType::kHeaders));
    calling.peer.send(row.octets);
    EXPECT_EQ(calling.peer.verdict(), row.verdict);
    EXPECT_EQ(calling.told(x), row.told);
  }
}

const std::string kProtocol = "connection PROTOCOL_ERROR", kFine = "fine", kReset = "stream 1 PROTOCOL_ERROR";

TEST(Http2ClientFrames, ItBeginsWithSettingsThatForbidPush) {
  CallingHttp2 calling(Limits(), settings2());
  std::optional<Frame2> first = calling.peer.next();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is(FrameType::kSettings));
  EXPECT_NE(first->payload.find(setting2(Setting::kEnablePush, 0)), std::string::npos);
}

TEST(Http2ClientFrames, TheServerBeginsWithSettings) {
  CallingHttp2 calling(Limits(), ping2("12345678"));
  EXPECT_EQ(calling.peer.verdict(), kProtocol);
}

TEST(Http2ClientFrames, AnAnswerIsWhatCame) {
  const std::string trailers = headers2(1, {{"grpc-status", "0"}}, kWhole);
  hold({{"a head alone", head_of_200(1, kWhole), kFine, "200 "},
        {"a head that is open", head_of_200(1), kFine, "open 200 "},
        {"a body", head_of_200(1) + data2(1, "body", kFlagEndStream), kFine, "200 body"},
        {"a body in pieces",
         head_of_200(1) + data2(1, "bo") + data2(1, "") + data2(1, "dy") + data2(1, "", kFlagEndStream), kFine,
         "200 body"},
        {"trailers", head_of_200(1) + data2(1, "body") + trailers, kFine, "200 body trailer grpc-status=0"},
        {"trailers alone", head_of_200(1) + trailers, kFine, "200  trailer grpc-status=0"},
        {"interim heads",
         headers2(1, {{":status", "100"}}, kFlagEndHeaders) +
             headers2(1, {{":status", "103"}, {"link", "</a>"}}, kFlagEndHeaders) + head_of_200(1, kWhole),
         kFine, "200 "}});
}

TEST(Http2ClientFrames, PaddingPriorityAndContinuationChangeNothing) {
  const std::string block = block2({{":status", "200"}, {"a", "b"}});
  const std::string trailers = block2({{"c", "d"}});
  std::string octets = frame2(FrameType::kHeaders, kFlagPadded | kFlagPriority, 1,
                              "\3" + u32(0) + "w" + block.substr(0, 4) + std::string(3, '\0'));
  for (char c : block.substr(4)) octets += frame2(FrameType::kContinuation, 0, 1, {&c, 1});
  octets += frame2(FrameType::kContinuation, kFlagEndHeaders, 1, "");
  octets += data2(1, std::string("\5bo\0\0\0\0\0", 8), kFlagPadded) + data2(1, std::string("\0dy", 3), kFlagPadded) +
            data2(1, std::string("\2\0\0", 3), kFlagPadded);
  octets +=
      frame2(FrameType::kHeaders, kFlagEndStream | kFlagPadded, 1, "\1" + trailers.substr(0, 2) + std::string(1, '\0'));
  octets += frame2(FrameType::kContinuation, kFlagEndHeaders, 1, trailers.substr(2));
  hold({{"all of it", octets, kFine, "200 body trailer c=d"}});
}

TEST(Http2ClientFrames, AMalformedAnswerIsReset) {  // sections 8.1.1, 8.3.2
  auto length = [](const char* n) { return headers2(1, {{":status", "200"}, {"content-length", n}}, kFlagEndHeaders); };
  auto head = [](Fields2 fields, uint8_t flags = kWhole) { return headers2(1, fields, flags); };
  hold({{"no status", head({{"a", "b"}}), kReset, "INTERNAL"},
        {"no field at all", head({}), kReset, "INTERNAL"},
        {"two", head({{":status", "200"}, {":status", "200"}}), kReset, "INTERNAL"},
        {"a status that is no number", head({{":status", "2x0"}}), kReset, "INTERNAL"},
        {"101", head({{":status", "101"}}, kFlagEndHeaders), kReset, "INTERNAL"},
        {"an interim head that is the end", head({{":status", "100"}}), kReset, "INTERNAL"},
        {"a request", head(request2("GET", "/")), kReset, "INTERNAL"},
        {"a name in upper case", head({{":status", "200"}, {"A", "b"}}), kReset, "INTERNAL"},
        {"connection", head({{":status", "200"}, {"connection", "close"}}), kReset, "INTERNAL"},
        {"DATA first", data2(1, "x"), kReset, "INTERNAL"},
        {"DATA after an interim head", head({{":status", "100"}}, kFlagEndHeaders) + data2(1, "x"), kReset, "INTERNAL"},
        {"more than its length", length("3") + data2(1, "body"), kReset, "INTERNAL"},
        {"less than its length", length("5") + data2(1, "body", kFlagEndStream), kReset, "INTERNAL"},
        {"nothing of its length", headers2(1, {{":status", "200"}, {"content-length", "5"}}, kWhole), kReset,
         "INTERNAL"},
        {"two lengths", head({{":status", "200"}, {"content-length", "0"}, {"content-length", "0"}}), kReset,
         "INTERNAL"},
        {"trailers that are not the end", head_of_200(1) + head({{"a", "b"}}, kFlagEndHeaders), kReset, "INTERNAL"},
        {"trailers with a status", head_of_200(1) + head({{":status", "200"}}), kReset, "INTERNAL"}});
}

TEST(Http2ClientFrames, ALengthWithoutABodyIsRightWhereThereIsNone) {  // section 8.1.1
  auto answer = [](const char* status) { return headers2(1, {{":status", status}, {"content-length", "5"}}, kWhole); };
  hold({{"HEAD", answer("200"), kFine, "200 "}}, "HEAD");
  hold({{"204", answer("204"), kFine, "204 "}, {"304", answer("304"), kFine, "304 "}});
}

TEST(Http2ClientFrames, WhatNoServerMaySendEndsTheConnection) {
  hold({{"PUSH_PROMISE", frame2(FrameType::kPushPromise, kFlagEndHeaders, 1, u32(2) + block2(request2("GET", "/"))),
         kProtocol, "INTERNAL"},
        {"HEADERS on a stream that was never opened", head_of_200(3), kProtocol, "INTERNAL"},
        {"HEADERS on a stream of its own", head_of_200(2), kProtocol, "INTERNAL"},
        {"DATA on a stream that was never opened", data2(3, "x"), kProtocol, "INTERNAL"},
        {"RST_STREAM on a stream that was never opened", rst2(3, Http2Error::kCancel), kProtocol, "INTERNAL"},
        {"WINDOW_UPDATE on a stream that was never opened", window2(3, 1), kProtocol, "INTERNAL"},
        {"ENABLE_PUSH 1", settings2({{Setting::kEnablePush, 1}}), kProtocol, "INTERNAL"},
        {"ENABLE_PUSH 0", settings2({{Setting::kEnablePush, 0}}), kFine, "open "},
        {"a block that cannot be decoded", frame2(FrameType::kHeaders, kWhole, 1, "\x80"),
         "connection COMPRESSION_ERROR", "INTERNAL"}});
}

TEST(Http2ClientFrames, AfterTheEndOfAnAnswerComesNothing) {  // section 5.1: our half may still be open
  hold({{"DATA", head_of_200(1, kWhole) + data2(1, "x"), "stream 1 STREAM_CLOSED", "200 "},
        {"HEADERS", head_of_200(1, kWhole) + head_of_200(1), "stream 1 STREAM_CLOSED", "200 "},
        {"WINDOW_UPDATE", head_of_200(1, kWhole) + window2(1, 5), kFine, "200 "},
        {"RST_STREAM", head_of_200(1, kWhole) + rst2(1, Http2Error::kCancel), kFine, "200 "}},
       "POST", false);
}

TEST(Http2ClientFrames, AResetHasItsStatus) {
  auto reset = [](Http2Error code) { return rst2(1, code); };
  hold({{"CANCEL", reset(Http2Error::kCancel), kFine, "CANCELLED"},
        {"INTERNAL_ERROR", reset(Http2Error::kInternalError), kFine, "INTERNAL"},
        {"ENHANCE_YOUR_CALM", reset(Http2Error::kEnhanceYourCalm), kFine, "RESOURCE_EXHAUSTED"},
        {"INADEQUATE_SECURITY", reset(Http2Error::kInadequateSecurity), kFine, "PERMISSION_DENIED"},
        {"REFUSED_STREAM", reset(Http2Error::kRefusedStream), kFine, "UNAVAILABLE unsent"},
        {"REFUSED_STREAM after a head", head_of_200(1) + reset(Http2Error::kRefusedStream), kFine, "UNAVAILABLE"},
        {"NO_ERROR before the end", head_of_200(1) + reset(Http2Error::kNoError), kFine, "INTERNAL"},
        {"one that is not known", rst2(1, Http2Error{77}), kFine, "INTERNAL"}});
}

TEST(Http2ClientFrames,
     AResetWithoutAnErrorAfterAWholeAnswerIsAnAnswer) {  // section 8.1: it wants no more of the request
  CallingHttp2 calling;
  Exchange* x = calling.open("POST", false);
  calling.on_loop([&] { x->send(std::string(200'000, 'x')); });  // more than the window
  ASSERT_TRUE(calling.peer.next(FrameType::kHeaders));
  calling.peer.send(head_of_200(1) + data2(1, "enough", kFlagEndStream) + rst2(1, Http2Error::kNoError));
  EXPECT_EQ(calling.peer.settled(), kFine);
  EXPECT_EQ(calling.told(x), "200 enough");
  calling.on_loop([&] {
    EXPECT_EQ(x->unsent_octets(), 0u);
    x->send("of no use to anyone");
    x->send_end(Metadata());
  });
  calling.peer.seen.clear();
  EXPECT_EQ(calling.peer.settled(), kFine);
  for (const Frame2& f : calling.peer.seen) EXPECT_NE(f.stream, 1u);
}

TEST(Http2ClientFrames, WhatAGoawayLeavesOutWasNotSent) {  // section 6.8
  CallingHttp2 calling;
  Exchange* first = calling.open();
  Exchange* second = calling.open();
  Exchange* third = calling.open();
  calling.peer.send(goaway2(3, Http2Error::kNoError));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  EXPECT_EQ(calling.told(third), "UNAVAILABLE unsent");
  EXPECT_FALSE(calling.usable());
  EXPECT_EQ(calling.open(), nullptr);
  calling.peer.send(head_of_200(1, kWhole) + head_of_200(3) + data2(3, "late", kFlagEndStream));
  while (calling.peer.next()) {  // and then the connection ends
  }
  EXPECT_EQ(calling.told(first), "200 ");
  EXPECT_EQ(calling.told(second), "200 late");
}

TEST(Http2ClientFrames, AGoawayInTwoPhasesLosesNothing) {  // section 6.8
  CallingHttp2 calling;
  Exchange* first = calling.open();
  calling.peer.send(goaway2(kLargestId, Http2Error::kNoError));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  EXPECT_EQ(calling.open(), nullptr);
  EXPECT_EQ(calling.told(first), "open ");
  calling.peer.send(goaway2(1, Http2Error::kNoError) + head_of_200(1, kWhole));
  while (calling.peer.next()) {
  }
  EXPECT_EQ(calling.told(first), "200 ");
}

TEST(Http2ClientFrames, AConnectionThatEndsBreaksWhatIsOpen) {
  CallingHttp2 calling;
  Exchange* answered = calling.open();
  Exchange* open = calling.open();
  calling.peer.send(head_of_200(1, kWhole) + head_of_200(3));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  calling.peer.close();
  while (calling.usable()) std::this_thread::yield();
  EXPECT_EQ(calling.told(answered), "200 ");
  EXPECT_EQ(calling.told(open), "UNAVAILABLE");
}

TEST(Http2ClientFrames, AWindowThatBecameNegativeIsWaitedFor) {  // section 6.9.2
  CallingHttp2 calling({{Setting::kInitialWindowSize, 1000}});
  Exchange* x = calling.open("POST", false);
  calling.on_loop([&] {
    x->send(std::string(3000, 'x'));
    x->send_end(Metadata());
  });
  size_t came = 0;
  auto read = [&](size_t until) {
    while (came < until) {
      std::optional<Frame2> frame = calling.peer.next(FrameType::kData);
      ASSERT_TRUE(frame);
      came += frame->payload.size();
    }
    EXPECT_EQ(came, until);
  };
  auto nothing_comes = [&] {
    calling.peer.seen.clear();
    EXPECT_EQ(calling.peer.settled(), kFine);
    for (const Frame2& f : calling.peer.seen) EXPECT_FALSE(f.is(FrameType::kData));
  };
  read(1000);
  calling.peer.send(settings2({{Setting::kInitialWindowSize, 0}}));
  nothing_comes();
  calling.peer.send(window2(1, 1000));  // at nothing
  nothing_comes();
  calling.peer.send(window2(1, 500));
  read(1500);
  calling.peer.send(settings2({{Setting::kInitialWindowSize, 100}}));
  read(1600);
  calling.peer.send(settings2({{Setting::kInitialWindowSize, 0x7fffffff - 1500}}));
  read(3000);
}

TEST(Http2ClientFrames, WhatWaitsForTheConnectionsWindowIsSentInTurn) {
  CallingHttp2 calling({{Setting::kInitialWindowSize, 1 << 20}});
  Exchange* first = calling.open("POST", false);
  Exchange* second = calling.open("POST", false);
  calling.on_loop([&] {
    for (Exchange* x : {first, second}) {
      x->send(std::string(60'000, 'x'));
      x->send_end(Metadata());
    }
  });
  size_t came[4] = {};
  auto read = [&](size_t until) {
    while (came[1] + came[3] < until) {
      std::optional<Frame2> frame = calling.peer.next(FrameType::kData);
      ASSERT_TRUE(frame);
      came[frame->stream] += frame->payload.size();
    }
  };
  read(65'535);
  EXPECT_GT(came[1], 10'000u);
  EXPECT_GT(came[3], 10'000u);
  for (size_t more = 0; more < 54'465; more += 54) {
    calling.peer.send(window2(0, 54));
  }
  read(119'000);
  calling.peer.send(window2(0, 10'000));
  read(120'000);
  EXPECT_EQ(came[1], 60'000u);
  EXPECT_EQ(came[3], 60'000u);
}

TEST(Http2ClientFrames, ItKeepsToTheNumberOfStreamsThatTheServerAllows) {  // section 5.1.2
  CallingHttp2 calling({{Setting::kMaxConcurrentStreams, 2}});
  Exchange* first = calling.open();
  Exchange* second = calling.open();
  EXPECT_TRUE(first && second);
  EXPECT_EQ(calling.open(), nullptr);
  calling.peer.send(settings2({{Setting::kMaxConcurrentStreams, 1}}));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  EXPECT_EQ(calling.told(second), "open ");  // what is open goes on
  calling.peer.send(head_of_200(1, kWhole));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  calling.release(first);
  EXPECT_EQ(calling.open(), nullptr);
  calling.peer.send(settings2({{Setting::kMaxConcurrentStreams, 0}}) + head_of_200(3, kWhole));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  calling.release(second);
  EXPECT_EQ(calling.open(), nullptr);
  EXPECT_TRUE(calling.usable());
  calling.peer.send(settings2({{Setting::kMaxConcurrentStreams, 5}}));
  EXPECT_EQ(calling.peer.verdict(), kFine);
  EXPECT_NE(calling.open(), nullptr);
}

TEST(Http2ClientFrames, TheServersTableOfFieldsMayBeSmallOrChange) {  // RFC 7541 section 4.2
  CallingHttp2 calling({{Setting::kHeaderTableSize, 0}});
  calling.peer.table(0);
  uint32_t id = 1;
  for (uint32_t size : {0u, 4096u, 64u, 1u << 30, 0u}) {
    SCOPED_TRACE(size);
    calling.peer.send(settings2({{Setting::kHeaderTableSize, size}}));
    EXPECT_EQ(calling.peer.verdict(), kFine);
    calling.peer.table(size);
    for (int i = 0; i < 3; ++i, id += 2) {
      Exchange* x = calling.open();
      std::optional<Frame2> request = calling.peer.next(FrameType::kHeaders);
      ASSERT_TRUE(request);
      EXPECT_EQ(request->stream, id);
      const Fields2 expected = {{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}};
      EXPECT_EQ(calling.peer.fields(request->payload), expected);
      calling.peer.send(head_of_200(id, kWhole));
      EXPECT_EQ(calling.peer.verdict(), kFine);
      calling.release(x);
    }
  }
}

TEST(Http2ClientFrames, AHeadLargerThanAFrameGoesOnInContinuation) {
  CallingHttp2 calling;
  const std::string large(50'000, '{');  // that Huffman makes no smaller
  calling.on_loop([&] {
    Head head;
    head.method = "GET";
    head.scheme = "http";
    head.authority = "x";
    head.target = "/";
    head.fields.add("a", large);
    Exchange* x = calling.client->open(head, true);
    calling.client->release(*x);
  });
  std::optional<Frame2> frame = calling.peer.next(FrameType::kHeaders);
  ASSERT_TRUE(frame);
  std::string block = frame->payload;
  EXPECT_TRUE(frame->end_stream());
  while (!(frame->flags & kFlagEndHeaders)) {
    frame = calling.peer.next();
    ASSERT_TRUE(frame && frame->is(FrameType::kContinuation));
    EXPECT_LE(frame->payload.size(), kMaxFrameSize);
    block += frame->payload;
  }
  EXPECT_EQ(calling.peer.fields(block).back().second, large);
}

TEST(Http2ClientFrames, AHeadThatIsTooLargeBreaksItsExchangeAlone) {
  Limits limits;
  limits.max_head = 1000;
  CallingHttp2 calling({}, limits);
  Exchange* x = calling.open();
  Exchange* other = calling.open();
  calling.peer.send(headers2(1, {{":status", "200"}, {"a", std::string(2000, 'x')}}, kWhole) + head_of_200(3, kWhole));
  EXPECT_EQ(calling.peer.verdict(), "stream 1 ENHANCE_YOUR_CALM");
  EXPECT_EQ(calling.told(x), "RESOURCE_EXHAUSTED");
  EXPECT_NE(calling.error(x).find("1000"), std::string::npos);
  EXPECT_EQ(calling.told(other), "200 ");
}

TEST(Http2ClientFrames, WhatIsReleasedBeforeItsEndIsCancelled) {
  CallingHttp2 calling;
  Exchange* x = calling.open();
  calling.release(x);
  EXPECT_EQ(calling.peer.verdict(), "stream 1 CANCEL");
  calling.peer.send(head_of_200(1) + data2(1, "late", kFlagEndStream));  // was on its way
  EXPECT_EQ(calling.peer.verdict(), kFine);
}

}  // namespace
}  // namespace duplex::http
