// A handler behind gRPC behind HTTP/2, and a peer of plain nghttp2 that looks at the frames.
//
// Over a socket that keeps packet borders (SOCK_SEQPACKET) a packet is one write of the server.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "duplex/http/connection.h"
#include "duplex/protocols/grpc_server.h"
#include "duplex/runtime/channel.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/socket.h"
#include "duplex/service/pipe.h"
#include "handler.h"

namespace duplex {

inline std::string framed(std::string_view s) {
  std::string prefix(5, '\0');
  for (int i = 0; i < 4; ++i) prefix[1 + static_cast<size_t>(i)] = static_cast<char>(s.size() >> (24 - 8 * i) & 255);
  return prefix + std::string(s);
}

// ---- the server side: a handler behind gRPC behind HTTP/2, on a loop of its own ----

class Wire final : private http::Handler {
 public:
  Wire(bool streams, Body body, int socket_type = SOCK_SEQPACKET, std::vector<Filter> filters = {},
       http::Limits limits = {})
      : method_("/t.T/M", streams, streams), service_(answer()(std::make_shared<duplex::Handler>(std::move(body)))) {
    for (auto it = filters.rbegin(); it != filters.rend(); ++it) service_ = (*it)(std::move(service_));
    int pair[2];
    if (::socketpair(AF_UNIX, socket_type | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("socketpair");
    ::fcntl(pair[0], F_SETFL, O_NONBLOCK);
    peer_fd = pair[1];
    options_.handler = this;
    options_.limits = limits;
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
  // Returns when its loop has gone round so often.
  void let_turn(int times) {
    for (int i = 0; i < times; ++i) {
      std::promise<void> turned;
      thread_.loop().post([&] { turned.set_value(); });
      turned.get_future().wait();
    }
  }
  void cancel(const Status& why) {
    thread_.loop().post([this, why] {
      if (connection_) connection_->cancel(why);
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
    std::string_view type = x.head().fields.find("content-type").value_or("application/grpc");
    co_await grpc::serve(ctx, x, type, method_, *service_, grpc::ServerSettings());
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

  using Fields = std::vector<std::pair<std::string, std::string>>;
  // Queues a gRPC request; flush() or until() sends it.
  int32_t request(std::string to_send, bool end, const Fields& more = {}) {
    Fields fields = {{":method", "POST"}, {":scheme", "http"}, {":path", "/t.T/M"},
                     {":authority", "x"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    for (auto& [name, value] : more) {
      auto known = std::find_if(fields.begin(), fields.end(), [&](auto& f) { return f.first == name; });
      if (known == fields.end())
        fields.emplace_back(name, value);
      else
        known->second = value;
    }
    return submit(std::move(fields), std::move(to_send), end, true);
  }
  // Queues a request without a body.
  int32_t ask(std::string method, std::string path) {
    return submit({{":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "x"}}, "", true, false);
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
    ended |= n == 0 || (n < 0 && errno == ECONNRESET);
    if (n <= 0) return false;
    packets.emplace_back();
    note_goaways(std::string_view(room, static_cast<size_t>(n)));
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
  // Until two round trips in a row have brought nothing and let nothing more be sent: then the server has done all
  // that it could do.
  void settle() {
    for (int quiet = 0; quiet < 2;) {
      const size_t frames = frames_ - pongs_, sent = sent_in_all(), pongs = pongs_;
      nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
      if (!until([&] { return pongs_ > pongs; })) {
        ADD_FAILURE() << "no answer to a PING";
        return;
      }
      quiet = frames_ - pongs_ == frames && sent_in_all() == sent ? quiet + 1 : 0;
    }
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
  bool ended = false;                             // the server has closed the connection

 private:
  // nghttp2 keeps the last GOAWAY to itself, so we look at the frames' octets.
  void note_goaways(std::string_view octets) {
    raw_ += octets;
    size_t at = 0;
    auto number = [&](size_t from, size_t size) {
      uint32_t n = 0;
      for (size_t i = 0; i < size; ++i) n = n << 8 | static_cast<unsigned char>(raw_[at + from + i]);
      return n;
    };
    for (; raw_.size() - at >= 9 && raw_.size() - at >= 9 + number(0, 3); at += 9 + number(0, 3))
      if (raw_[at + 3] == NGHTTP2_GOAWAY) goaways.push_back(static_cast<int32_t>(number(9, 4) & 0x7fffffff));
    raw_.erase(0, at);
  }
  int32_t submit(Fields fields, std::string to_send, bool end, bool body) {
    std::vector<nghttp2_nv> nv;
    for (auto& [n, v] : fields)
      nv.push_back({reinterpret_cast<uint8_t*>(n.data()), reinterpret_cast<uint8_t*>(v.data()), n.size(), v.size(), 0});
    auto stream = std::make_unique<Stream>();
    stream->to_send = std::move(to_send);
    stream->end = end;
    nghttp2_data_provider provider{{.ptr = stream.get()}, on_pull};
    int32_t id = nghttp2_submit_request(session_, nullptr, nv.data(), nv.size(), body ? &provider : nullptr, nullptr);
    streams[id] = std::move(stream);
    return id;
  }
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
    ++self.frames_;
    self.pongs_ += f->hd.type == NGHTTP2_PING && f->hd.flags & NGHTTP2_FLAG_ACK;
    if (f->hd.type == NGHTTP2_SETTINGS) self.settings_ = true;
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
  size_t frames_ = 0, pongs_ = 0;  // received
  std::string raw_;                // of the frame that is not whole yet
};

// A blocking socket to "127.0.0.1:8080".
inline Fd dial(const std::string& address) {
  Result<Address> to = Address::parse(address);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(to->port());
  ::inet_pton(AF_INET, to->host().c_str(), &at.sin_addr);
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0) << address;
  return fd;
}

// One connection of HTTP/1.1, as octets.
class Peer1 {
 public:
  explicit Peer1(const std::string& address) : fd_(dial(address)) {
    timeval patience{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void send(std::string_view octets) {
    while (!octets.empty()) {
      ssize_t n = ::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      octets.remove_prefix(static_cast<size_t>(n));
    }
  }
  // Asks, and returns the answer.
  std::string ask(std::string_view method, std::string_view path, std::string_view fields = "",
                  std::string_view body = "") {
    std::string request =
        std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nhost: x\r\n" + std::string(fields);
    if (!body.empty()) request += "content-length: " + std::to_string(body.size()) + "\r\n";
    send(request + "\r\n" + std::string(body));
    return read_answer();
  }
  // One answer, head and body, which must have a content-length.
  std::string read_answer() {
    while (got_.find("\r\n\r\n") == got_.npos)
      if (!read_some()) return "(ended) " + got_;
    size_t size = got_.find("\r\n\r\n") + 4;
    constexpr std::string_view kLength = "content-length: ";
    if (size_t at = got_.find(kLength); at < size) size += std::stoul(got_.substr(at + kLength.size()));
    while (got_.size() < size)
      if (!read_some()) return "(ended) " + got_;
    std::string answer = got_.substr(0, size);
    got_.erase(0, size);
    return answer;
  }
  // Has the server closed it, or does it now? Not after 20 s.
  bool ends() {
    while (read_some()) {
    }
    return ended_;
  }

 private:
  bool read_some() {
    char room[65536];
    ssize_t n = ::recv(fd_.get(), room, sizeof room, 0);
    ended_ |= n == 0 || (n < 0 && errno == ECONNRESET);
    if (n > 0) got_.append(room, static_cast<size_t>(n));
    return n > 0;
  }
  Fd fd_;
  std::string got_;
  bool ended_ = false;
};

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// A handler that answers what it reads.
inline Task<Outcome> echo(Context& ctx, Call& c) {
  NextResult m = co_await c.in->next(ctx);
  if (!m) co_return m.error();
  Message reply = std::move(**m);
  co_return co_await c.out->write(ctx, reply);
}

}  // namespace duplex
