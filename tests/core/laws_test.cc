// The ten laws of service.h, each with a test that is named after it.
//
// Where a law speaks of the wire, a peer of plain nghttp2 looks at the frames. Over a socket that keeps packet borders
// (SOCK_SEQPACKET) a packet is one write of the server.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <nghttp2/nghttp2.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "duplex/http/connection.h"
#include "duplex/protocols/grpc_server.h"
#include "duplex/runtime/channel.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"
#include "talk_service.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
constexpr Loop::Options kVirtual{.virtual_time = true};

Message text(std::string_view s) { return Message(Bytes::copy(s)); }
std::string framed(std::string_view s) {
  std::string prefix(5, '\0');
  for (int i = 0; i < 4; ++i) prefix[1 + static_cast<size_t>(i)] = static_cast<char>(s.size() >> (24 - 8 * i) & 255);
  return prefix + std::string(s);
}

// ---- the server side: a handler behind gRPC behind HTTP/2, on a loop of its own ----

using Body = std::function<Task<Outcome>(Context&, Call&)>;

class Handler final : public Service {
 public:
  explicit Handler(Body body) : body_(std::move(body)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return body_(ctx, c); }

 private:
  Body body_;
};

class Wire final : private http::Handler {
 public:
  Wire(bool streams, Body body, int socket_type = SOCK_SEQPACKET, std::vector<Filter> filters = {})
      : method_("/t.T/M", streams, streams), service_(answer()(std::make_shared<duplex::Handler>(std::move(body)))) {
    for (auto it = filters.rbegin(); it != filters.rend(); ++it) service_ = (*it)(std::move(service_));
    int pair[2];
    if (::socketpair(AF_UNIX, socket_type | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("socketpair");
    ::fcntl(pair[0], F_SETFL, O_NONBLOCK);
    peer_fd = pair[1];
    options_.handler = this;
    thread_.spawn([this, fd = pair[0]](Context& ctx) -> Task<void> {
      co_await http::serve_connection(ctx, fd, "peer", options_, &connection_);
    });
  }
  ~Wire() {
    ::shutdown(peer_fd, SHUT_RDWR);
    thread_.stop(5s);
    ::close(peer_fd);
  }
  void drain() {
    thread_.loop().post([this] {
      if (connection_) connection_->drain();
    });
  }

  int peer_fd = -1;
  // Of the exchange that was served last.
  std::atomic<uint64_t> progress_at_start{0}, progress_at_end{1};
  std::atomic<bool> whole_at_start{false};

 private:
  Task<void> serve(Context& ctx, http::Exchange& x) override {
    progress_at_start = ctx.loop().progress();
    whole_at_start = x.ended() && !x.body().empty();
    co_await grpc::serve(ctx, x, method_, *service_, grpc::ServerSettings());
    progress_at_end = ctx.loop().progress();
  }
  Method method_;
  std::shared_ptr<Service> service_;
  http::ServerOptions options_;
  http::ServerConnection* connection_ = nullptr;
  LoopThread thread_;
};

// ---- the peer: plain nghttp2 over a blocking socket ----

class Peer2 {
 public:
  struct Stream {
    std::string data, to_send;
    std::map<std::string, std::string> fields;
    std::vector<std::string> frames;  // "HEADERS", "DATA+END", ...
    bool closed = false, end = true;
    uint32_t code = 0;
    size_t sent = 0;
  };

  // `credit`: does it give flow-control credit back?
  explicit Peer2(int fd, bool credit = true) : fd_(fd) {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_option* o = nullptr;
    nghttp2_option_new(&o);
    nghttp2_option_set_no_auto_window_update(o, !credit);
    nghttp2_session_client_new2(&session_, c, this, o);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    flush();
    // The server's SETTINGS, so that windows are what it says.
    EXPECT_TRUE(until([&] { return settings_; }));
  }
  ~Peer2() { nghttp2_session_del(session_); }

  // Queues a request; flush() or until() sends it.
  int32_t request(std::string to_send, bool end, std::vector<std::pair<std::string, std::string>> more = {}) {
    std::vector<std::pair<std::string, std::string>> fields = {
        {":method", "POST"}, {":scheme", "http"}, {":path", "/t.T/M"},
        {":authority", "x"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    fields.insert(fields.end(), more.begin(), more.end());
    std::vector<nghttp2_nv> nv;
    for (auto& [n, v] : fields)
      nv.push_back({reinterpret_cast<uint8_t*>(n.data()), reinterpret_cast<uint8_t*>(v.data()), n.size(), v.size(), 0});
    auto stream = std::make_unique<Stream>();
    stream->to_send = std::move(to_send);
    stream->end = end;
    nghttp2_data_provider provider{{.ptr = stream.get()}, on_pull};
    int32_t id = nghttp2_submit_request(session_, nullptr, nv.data(), nv.size(), &provider, nullptr);
    streams[id] = std::move(stream);
    return id;
  }
  void send_more(int32_t id, std::string_view octets, bool end) {
    streams[id]->to_send += octets;
    streams[id]->end = end;
    nghttp2_session_resume_data(session_, id);
  }
  void cancel(int32_t id) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL); }

  // Sends what is queued, in one packet if it fits.
  void flush() {
    std::string all;
    for (;;) {
      const uint8_t* data = nullptr;
      ssize_t n = nghttp2_session_mem_send(session_, &data);
      if (n <= 0) break;
      all.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
    }
    put(all);
  }
  // Reads one packet. False: none came within the time.
  bool receive(Duration within) {
    timeval limit{0, static_cast<suseconds_t>(std::chrono::duration_cast<std::chrono::microseconds>(within).count())};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char room[300'000];
    ssize_t n = ::recv(fd_, room, sizeof room, 0);
    if (n <= 0) return false;
    packets.emplace_back();
    EXPECT_EQ(nghttp2_session_mem_recv(session_, reinterpret_cast<uint8_t*>(room), static_cast<size_t>(n)), n);
    return true;
  }
  template <class F>
  bool until(F done, Duration limit = 20s) {
    Time end = Clock::now() + limit;
    for (flush(); !done(); flush())
      if (Clock::now() > end)
        return false;
      else
        receive(20ms);
    return true;
  }
  bool until_closed(int32_t id) {
    return until([&] { return streams[id]->closed; });
  }
  // Takes what comes until nothing has come for a while.
  void settle() {
    do flush();
    while (receive(100ms));
  }
  size_t sent_in_all() const {
    size_t n = 0;
    for (auto& [id, s] : streams) n += s->sent;
    return n;
  }
  int32_t connection_window() const { return nghttp2_session_get_remote_window_size(session_); }
  int32_t stream_window(int32_t id) const { return nghttp2_session_get_stream_remote_window_size(session_, id); }

  std::map<int32_t, std::unique_ptr<Stream>> streams;
  std::vector<std::vector<std::string>> packets;  // the frames of each, "1:HEADERS"
  std::vector<int32_t> goaways;                   // their last stream ids

 private:
  void put(std::string_view octets) {
    while (!octets.empty()) {
      // A packet at a time: the server takes a short read for an empty socket, as it is for a stream of octets.
      int unread = 0;
      Time end = Clock::now() + 5s;
      while (::ioctl(fd_, SIOCOUTQ, &unread) == 0 && unread > 0 && Clock::now() < end) std::this_thread::yield();
      ssize_t n = ::send(fd_, octets.data(), std::min<size_t>(octets.size(), 32'768), MSG_NOSIGNAL);
      if (n <= 0) return;
      octets.remove_prefix(static_cast<size_t>(n));
    }
  }
  Stream* find(int32_t id) {
    auto it = streams.find(id);
    return it == streams.end() ? nullptr : it->second.get();
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* f, void* user) {
    auto& self = *static_cast<Peer2*>(user);
    constexpr const char* kNames[] = {"DATA", "HEADERS", "PRIORITY", "RST_STREAM",   "SETTINGS",
                                      "PUSH", "PING",    "GOAWAY",   "WINDOW_UPDATE"};
    std::string name = f->hd.type < 9 ? kNames[f->hd.type] : "other";
    if (f->hd.type == NGHTTP2_SETTINGS) self.settings_ = true;
    if (f->hd.type == NGHTTP2_GOAWAY) self.goaways.push_back(f->goaway.last_stream_id);
    if (f->hd.type <= NGHTTP2_HEADERS && f->hd.flags & NGHTTP2_FLAG_END_STREAM) name += "+END";
    if (Stream* s = self.find(f->hd.stream_id); s && f->hd.type != NGHTTP2_WINDOW_UPDATE) s->frames.push_back(name);
    if (!self.packets.empty()) self.packets.back().push_back(std::to_string(f->hd.stream_id) + ":" + name);
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* f, const uint8_t* n, size_t n_size, const uint8_t* v,
                       size_t v_size, uint8_t, void* user) {
    if (Stream* s = static_cast<Peer2*>(user)->find(f->hd.stream_id))
      s->fields[std::string(reinterpret_cast<const char*>(n), n_size)] =
          std::string(reinterpret_cast<const char*>(v), v_size);
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    if (Stream* s = static_cast<Peer2*>(user)->find(id)) s->data.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t code, void* user) {
    if (Stream* s = static_cast<Peer2*>(user)->find(id)) s->closed = true, s->code = code;
    return 0;
  }
  static ssize_t on_pull(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags,
                         nghttp2_data_source* source, void*) {
    auto& s = *static_cast<Stream*>(source->ptr);
    size_t n = std::min(room, s.to_send.size() - s.sent);
    if (n == 0 && !s.end) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(to, s.to_send.data() + s.sent, n);
    s.sent += n;
    if (s.end && s.sent == s.to_send.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  const int fd_;
  nghttp2_session* session_ = nullptr;
  bool settings_ = false;
};

template <class F>
bool soon(F done) {
  for (Time end = Clock::now() + 20s; !done();) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

Task<Outcome> echo(Context& ctx, Call& c) {
  NextResult m = co_await c.in->next(ctx);
  if (!m) co_return m.error();
  Message reply = std::move(**m);
  co_return co_await c.out->write(ctx, reply);
}

// ---- law 1 ----

TEST(Laws, Law1_EveryWaitHearsItsContext) {
  run(
      [](Context& ctx) -> Task<void> {
        Pipe pipe, full;
        Status filled = co_await full.write(ctx, text("x"));
        EXPECT_TRUE(filled.is_ok());
        Channel<int> empty(1), crowded(1);
        EXPECT_TRUE(crowded.try_send(1));
        Notifier notifier;
        Signal signal;
        std::vector<std::function<Task<Status>(Context&)>> waits = {
            [&](Context& c) -> Task<Status> { co_return (co_await pipe.next(c)).error(); },
            [&](Context& c) -> Task<Status> { co_return co_await pipe.wait_head(c); },
            [&](Context& c) -> Task<Status> { co_return co_await full.write(c, text("y")); },
            [&](Context& c) -> Task<Status> { co_return (co_await empty.receive(c)).error(); },
            [&](Context& c) -> Task<Status> { co_return co_await crowded.send(c, 2); },
            [&](Context& c) -> Task<Status> { co_return co_await notifier.wait(c); },
            [&](Context& c) -> Task<Status> { co_return co_await signal.changed(c, signal.version()); },
            [&](Context& c) -> Task<Status> { co_return co_await sleep(c, 1h); },
        };
        for (size_t i = 0; i < waits.size(); ++i) {
          Context late(ctx, 1s);
          Time start = ctx.loop().now();
          EXPECT_EQ((co_await waits[i](late)).code(), Code::kDeadlineExceeded) << i;
          EXPECT_LE(ctx.loop().now() - start, 2s) << i;
          Context gone(ctx);
          gone.cancel(Status::aborted("already"));
          EXPECT_EQ((co_await waits[i](gone)).code(), Code::kAborted) << i;
          Context parent(ctx);
          Context child(parent);
          Scope scope(ctx);
          scope.spawn([&](Context& c) -> Task<void> {
            Status slept = co_await sleep(c, 1s);
            EXPECT_TRUE(slept.is_ok());
            parent.cancel(Status::unavailable("from above"));
          });
          EXPECT_EQ((co_await waits[i](child)).code(), Code::kUnavailable) << i;
          co_await scope.join();
        }
      },
      kVirtual);
}

TEST(Laws, Law1_ACancelledNextTookNothing) {
  std::atomic<int> timeouts{0};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    {
      Context hurried(ctx, 10ms);
      NextResult m = co_await c.in->next(hurried);
      timeouts += !m && m.error().code() == Code::kDeadlineExceeded;
    }
    {
      Context gone(ctx);
      gone.cancel(Status::cancelled("x"));
      NextResult m = co_await c.in->next(gone);
      timeouts += !m && m.error().code() == Code::kCancelled;
    }
    for (;;) {
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) co_return Status();
      Message reply = std::move(**m);
      Status s = co_await c.out->write(ctx, reply);
      if (!s.is_ok()) co_return s;
    }
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request("", false);
  peer.flush();
  EXPECT_TRUE(soon([&] { return timeouts == 2; }));
  peer.send_more(id, framed("first") + framed("second"), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->data, framed("first") + framed("second"));
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "0");
}

TEST(Laws, Law1_AWriteThatWaitsForRoomHearsItsContext) {
  std::atomic<int> heard{0};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    Context hurried(ctx, 50ms);
    for (;;) {
      Status s = co_await c.out->write(hurried, text(std::string(10'000, 'x')));
      if (s.is_ok()) continue;
      heard += s.code() == Code::kDeadlineExceeded;
      co_return Status::aborted("no room");
    }
  });
  Peer2 peer(wire.peer_fd, false);
  int32_t id = peer.request(framed(""), true);
  EXPECT_TRUE(peer.until([&] { return heard == 1; }));
  EXPECT_LE(peer.streams[id]->data.size(), 65'535u);
}

// ---- law 2 ----

TEST(Laws, Law2_AUnaryAnswerThatIsOkIsOneWrite) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("hello"), true);
  peer.flush();
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS", "DATA", "HEADERS+END"}));
  int writes = 0;
  for (auto& packet : peer.packets)
    writes += std::any_of(packet.begin(), packet.end(), [](auto& f) { return f.starts_with("1:"); });
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(peer.streams[id]->data, framed("hello"));
}

TEST(Laws, Law2_NothingOfAUnaryAnswerLeavesBeforeItsOutcome) {
  Signal release;
  std::atomic<bool> written{false};
  Wire wire(false, [&](Context& ctx, Call& c) -> Task<Outcome> {
    uint64_t seen = release.version();
    Metadata head;
    head.add("x-early", "1");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await c.out->write(ctx, text("early"));
    if (!s.is_ok()) co_return s;
    written = true;
    s = co_await release.changed(ctx, seen);
    co_return s;
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("x"), true);
  ASSERT_TRUE(peer.until([&] { return written.load(); }));
  peer.settle();
  EXPECT_TRUE(peer.streams[id]->frames.empty());
  release.notify();
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->fields["x-early"], "1");
  EXPECT_EQ(peer.streams[id]->data, framed("early"));
}

TEST(Laws, Law2_ANotOkOutcomeDiscardsHeadAndMessage) {
  Wire wire(false, [&](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head, trailers;
    head.add("x-early", "1");
    trailers.add("x-late", "1");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await c.out->write(ctx, text("early"));
    if (!s.is_ok()) co_return s;
    co_return Outcome(Status::not_found("none"), trailers);
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("x"), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS+END"}));  // trailers only
  EXPECT_EQ(peer.streams[id]->fields.count("x-early"), 0u);
  EXPECT_EQ(peer.streams[id]->fields["x-late"], "1");
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "5");
  EXPECT_EQ(peer.streams[id]->data, "");
}

// ---- law 3 ----

TEST(Laws, Law3_TheHeadLeavesWithNoMessageBehindIt) {
  std::atomic<bool> cancelled{false};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head;
    head.add("x-early", "1");
    Status s = co_await c.out->head(ctx, head);
    if (!s.is_ok()) co_return s;
    s = co_await sleep(ctx, 1h);
    cancelled = true;
    co_return s;
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request("", false);
  ASSERT_TRUE(peer.until([&] { return !peer.streams[id]->frames.empty(); }));
  EXPECT_EQ(peer.streams[id]->frames, (std::vector<std::string>{"HEADERS"}));
  EXPECT_EQ(peer.streams[id]->fields["x-early"], "1");
  peer.cancel(id);
  peer.flush();
  EXPECT_TRUE(soon([&] { return cancelled.load(); }));
}

TEST(Laws, Law3_AWriteIsTakenAtOnceWhileLessThan64KiBAreUnsent) {
  std::atomic<int> at_once{-1}, first{-1};
  Wire wire(true, [&](Context& ctx, Call& c) -> Task<Outcome> {
    int n = 0;
    for (;; ++n) {  // within one turn: nothing is sent meanwhile
      Task<Status> written = c.out->write(ctx, text(std::string(1024 - 5, 'x')));
      if (!written.has_value()) {
        Status s = co_await std::move(written);
        if (!s.is_ok()) co_return s;
        break;
      }
    }
    at_once = n;
    co_return Status();
  });
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request("", true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(at_once, 64);
  EXPECT_EQ(peer.streams[id]->data.size(), 65u * 1024);

  Wire large(
      true,
      [&](Context& ctx, Call& c) -> Task<Outcome> {
        Task<Status> written = c.out->write(ctx, text(std::string(1 << 20, 'x')));
        first = written.has_value();
        co_return co_await std::move(written);
      },
      SOCK_STREAM);
  Peer2 other(large.peer_fd);
  id = other.request("", true);
  ASSERT_TRUE(other.until_closed(id));
  EXPECT_EQ(first, 1);  // a first write never suspends, however large
  EXPECT_EQ(other.streams[id]->data.size(), (1u << 20) + 5);
}

// ---- law 4 ----

TEST(Laws, Law4_WhatCameWithTheHeadIsThereAndACallThatDoesNotWaitIsNeverResumed) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("hello"), true);
  peer.flush();  // head and message in one packet
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_TRUE(wire.whole_at_start);
  EXPECT_EQ(wire.progress_at_start, wire.progress_at_end);  // the loop has resumed nothing in between

  id = peer.request(std::string(framed("hello"), 0, 3), false);
  peer.flush();
  peer.settle();
  peer.send_more(id, framed("hello").substr(3), true);
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_FALSE(wire.whole_at_start);
  EXPECT_NE(wire.progress_at_start, wire.progress_at_end);
  EXPECT_EQ(peer.streams[id]->data, framed("hello"));
}

// ---- law 5 ----

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

// ---- law 6 ----

TEST(Laws, Law6_TheBatchIsParsedBeforeAnyCallStartsAndAnsweredInOneWrite) {
  std::atomic<int> served{0}, whole{0};
  Wire wire(false, [&](Context& ctx, Call& c) -> Task<Outcome> {
    ++served;
    Task<NextResult> next = c.in->next(ctx);
    whole += next.has_value();  // its DATA stands behind the HEADERS of all others in the packet
    NextResult m = co_await std::move(next);
    if (!m) co_return m.error();
    Message reply = std::move(**m);
    co_return co_await c.out->write(ctx, reply);
  });
  Peer2 peer(wire.peer_fd);
  size_t before = peer.packets.size();
  std::vector<int32_t> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(peer.request(framed("n" + std::to_string(i)), true));
  peer.flush();
  for (int32_t id : ids) ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(served, 50);
  EXPECT_EQ(whole, 50);
  int writes = 0;
  for (size_t i = before; i < peer.packets.size(); ++i) {
    auto& p = peer.packets[i];
    writes += std::any_of(p.begin(), p.end(), [](auto& f) { return f.find("HEADERS") != f.npos; });
  }
  EXPECT_EQ(writes, 1);
}

// ---- law 7 ----

TEST(Laws, Law7_NothingIsResumedInline) {
  run([&](Context& ctx) -> Task<void> {
    int resumed = 0;
    Context own(ctx);
    Scope scope(own);
    Pipe pipe;
    Notifier notifier;
    Signal signal;
    Channel<int> channel(1);
    auto spawn = [&](auto wait) {
      scope.spawn([&resumed, wait](Context& c) -> Task<void> {
        co_await wait(c);
        ++resumed;
      });
    };
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await pipe.next(c)); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await notifier.wait(c)); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await signal.changed(c, signal.version())); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await channel.receive(c)); });
    spawn([&](Context& c) -> Task<void> { static_cast<void>(co_await sleep(c, 1h)); });
    spawn([&](Context& c) -> Task<void> {
      Context child(c);
      Scope inner(child);
      inner.spawn([](Context& k) -> Task<void> { static_cast<void>(co_await sleep(k, 1h)); });
      co_await inner.join();
    });
    EXPECT_EQ(resumed, 0);
    Task<Status> written = pipe.write(ctx, text("m"));
    EXPECT_TRUE(written.has_value());
    notifier.notify_all();
    signal.notify();
    EXPECT_TRUE(channel.try_send(1));
    EXPECT_EQ(resumed, 0);
    scope.cancel(Status::cancelled("all"));
    EXPECT_EQ(resumed, 0);
    co_await scope.join();
    EXPECT_EQ(resumed, 6);
  });
}

// ---- law 8 ----

TEST(Laws, Law8_TheDeadlineWinsOverWhatTheHandlerReturned) {
  for (bool streams : {false, true})
    for (bool fails : {false, true}) {
      std::atomic<bool> returned{false};
      Wire wire(streams, [&](Context& ctx, Call& c) -> Task<Outcome> {
        Context deaf(ctx.loop());
        Status s = co_await sleep(deaf, 50ms);
        Status written = co_await c.out->write(deaf, text("late"));
        returned = s.is_ok() && written.is_ok();
        if (fails) co_return Status::internal("whatever");
        co_return Status();
      });
      Peer2 peer(wire.peer_fd);
      int32_t id = peer.request(framed("x"), true, {{"grpc-timeout", "10m"}});
      ASSERT_TRUE(peer.until_closed(id));
      EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "4") << streams << fails;
      EXPECT_TRUE(returned);
    }
}

TEST(Laws, Law8_ADeadlineOfZeroIsExceededAtOnce) {
  Wire wire(false, echo);
  Peer2 peer(wire.peer_fd);
  int32_t id = peer.request(framed("x"), true, {{"grpc-timeout", "0S"}});
  ASSERT_TRUE(peer.until_closed(id));
  EXPECT_EQ(peer.streams[id]->fields["grpc-status"], "4");
}

// ---- law 9 ----

std::string http_get(const std::string& address, std::string_view path) {
  return run([&](Context& ctx) -> Task<std::string> {
    Address where = *Address::parse(address);
    Result<Fd> fd = co_await connect_to(ctx, where);
    if (!fd) co_return fd.error().to_string();
    ::fcntl(fd->get(), F_SETFL, 0);
    std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) co_return "send failed";
    std::string all;
    char room[16'384];
    for (ssize_t n; (n = ::recv(fd->get(), room, sizeof room, 0)) > 0;) all.append(room, static_cast<size_t>(n));
    co_return all;
  });
}

TEST(Laws, Law9_AnExceptionIsInternalItsTextIsForTheLogAndMetricsSeeIt) {
  const std::string log = testing::TempDir() + "duplex-laws-" + std::to_string(getpid()) + ".log";
  std::atomic<int> seen{-1};
  {
    Server::Settings settings = talk::v1::Pair::quiet();
    settings.log_file = log;
    Server server(settings);
    server.listen("127.0.0.1:0").serve(std::make_shared<talk::v1::TalkService>());
    server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
      Outcome o = co_await next.call(ctx, c);  // filters see a status, no exception
      if (c.method->name.ends_with("/Say")) seen = static_cast<int>(o.status.code());
      co_return o;
    }));
    ASSERT_TRUE(server.start().is_ok());
    auto peer = std::make_shared<Client>(Client::Settings{.name = "talk", .address = server.addresses()[0]});
    talk::v1::TalkClient client(peer);
    run([&](Context& ctx) -> Task<void> {
      talk::v1::SayRequest request;
      request.set_throw_up(true);
      Result<talk::v1::SayReply> r = co_await client.say(ctx, request);
      EXPECT_EQ(r.error().to_string(), "INTERNAL: internal error");
    });
    std::string metrics = http_get(server.addresses()[0], "/metrics");
    EXPECT_TRUE(soon([&] {
      metrics = http_get(server.addresses()[0], "/metrics");
      return metrics.find("rpc_status_code=\"INTERNAL\"") != metrics.npos ||
             metrics.find("rpc_status_code=\"13\"") != metrics.npos;
    })) << metrics;
    EXPECT_EQ(metrics.find("secret"), metrics.npos);
    EXPECT_TRUE(server.stop());
  }
  EXPECT_EQ(seen, static_cast<int>(Code::kInternal));
  std::ifstream file(log);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(text.find("the handler's secret"), text.npos) << text;
  std::remove(log.c_str());
}

// ---- law 10 ----

TEST(Laws, Law10_SpawnCopiesGivesAContextAndRunsToTheFirstSuspension) {
  run([](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    std::string seen;
    Context* given = nullptr;
    {
      std::string argument = "an argument that is longer than a small string";
      std::string captured = "a capture that is longer than a small string, too";
      auto body = [captured, &seen, &given](Context& c, std::string a) -> Task<void> {
        given = &c;
        seen = "started";
        static_cast<void>(co_await yield(c));
        seen = a + "|" + captured;
      };
      scope.spawn(body, argument);
      EXPECT_EQ(seen, "started");  // before spawn returned
      EXPECT_NE(given, &own);
      EXPECT_NE(given, &ctx);
    }  // what it was spawned from is gone
    EXPECT_EQ(scope.running(), 1u);
    co_await scope.join();
    EXPECT_EQ(seen, "an argument that is longer than a small string|a capture that is longer than a small string, too");
  });
}

TEST(Laws, Law10_OfBothTheFirstFailureCancelsTheOther) {
  for (bool first : {true, false}) {
    Status other;
    Status s = run(
        [&](Context& ctx) -> Task<Status> {
          auto fails = [](Context& c) -> Task<Status> {
            static_cast<void>(co_await sleep(c, 1s));
            co_return Status::aborted("mine");
          };
          auto waits = [&other](Context& c) -> Task<Status> {
            other = co_await sleep(c, 1h);
            co_return other;
          };
          if (first) co_return co_await both(ctx, fails, waits);
          co_return co_await both(ctx, waits, fails);
        },
        kVirtual);
    EXPECT_EQ(s.to_string(), "ABORTED: mine");
    EXPECT_EQ(other.code(), Code::kCancelled);
  }
}

}  // namespace
}  // namespace duplex
