// Octets into an HTTP/2 connection of ours, over a socket, in slices: as a client's into our server, and as a server's
// into our client. What the handler sees must keep what the rest of the program relies on, and what leaves must be
// frames.
//
// The first octet: 1 - into the client; 2 - without preface and SETTINGS before it; the rest - the size of slices.
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "duplex/http/connection.h"
#include "duplex/http/http2_client.h"
#include "duplex/runtime/run.h"
#include "fuzz.h"
#include "http/http1_text.h"
#include "http/http2_frames.h"

namespace {

using namespace duplex;
using duplex::fuzz::demand;
using http::Exchange;
using http::FrameHead;
using http::FrameReader;
using http::FrameType;

void check_fields(const Metadata& fields) {
  for (Metadata::Entry e : fields) {
    demand(http::is_token(e.name), "a field's name is a token");
    for (char c : e.name) demand(c < 'A' || c > 'Z', "a field's name is in lower case");
    demand(is_field_value(e.value), "a field's value has no control octet");
    demand(!http::is_connection_field(e.name), "no field of HTTP/1.1's connections");
  }
}

// Reads all, and says it back.
class Echo final : public http::Handler {
 public:
  Task<void> serve(Context& ctx, Exchange& x) override {
    const http::Head& head = x.head();
    check_fields(head.fields);
    demand(http::is_token(head.method), "a method is a token");
    demand(head.method == "CONNECT" || head.target.starts_with('/') || head.target == "*", "a target is a path");
    demand(is_field_value(head.target) && is_field_value(head.authority), "no control octet in a target");
    x.send_head(200, Metadata(), false);
    size_t size = 0;
    while (!x.ended() || !x.body().empty()) {
      const Status s = co_await http::wait_body(ctx, x);
      if (!s.is_ok()) co_return;
      size += x.body().size();
      x.send(x.body().view());
      const size_t count = x.body().size();
      x.body().clear();
      x.consumed(count);
      const Status room = co_await http::wait_room(ctx, x);
      if (!room.is_ok()) co_return;
    }
    if (auto length = head.fields.find("content-length")) {
      uint64_t said = 0;
      demand(http::parse_length(*length, said) && said == size, "a body is as long as it was said to be");
    }
    check_fields(x.trailers());
    x.send_end(x.trailers());
  }
};

// The fuzzer's end of the socket.
class Other {
 public:
  // `frames`: it speaks HTTP/2, so that what comes must be that, too.
  Other(int fd, bool frames) : fd_(fd), frames_(frames) {}
  ~Other() { ::close(fd_); }
  void send(std::string_view octets) {
    [[maybe_unused]] auto n = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  // Takes what came; it must be frames, and nothing after a last GOAWAY.
  void take() {
    char room[65536];
    for (ssize_t n; (n = ::recv(fd_, room, sizeof room, MSG_DONTWAIT)) > 0;) {
      if (!frames_) continue;
      std::string_view octets(room, static_cast<size_t>(n));
      const size_t skipped = std::min(to_skip_, octets.size());
      octets.remove_prefix(skipped);
      to_skip_ -= skipped;
      reader_.feed(octets);
      FrameHead head;
      std::string_view payload;
      FrameReader::Step step;
      while ((step = reader_.next(head, payload)) == FrameReader::Step::kFrame) check(head, payload);
      demand(step != FrameReader::Step::kTooLarge, "no frame is too large");
    }
  }
  void skip(size_t count) { to_skip_ = count; }

 private:
  void check(const FrameHead& head, std::string_view payload) {
    demand(!ended_, "nothing follows the last GOAWAY");
    switch (head.type) {
      case FrameType::kSettings:
        demand(head.stream == 0 && payload.size() % 6 == 0, "SETTINGS");
        break;
      case FrameType::kPing:
        demand(head.stream == 0 && payload.size() == 8, "PING");
        break;
      case FrameType::kGoaway:
        demand(head.stream == 0 && payload.size() >= 8, "GOAWAY");
        ended_ = http::read_u32(payload.data() + 4) != 0;
        break;
      case FrameType::kRstStream:
        demand(head.stream != 0 && payload.size() == 4, "RST_STREAM");
        break;
      case FrameType::kWindowUpdate:
        demand(payload.size() == 4 && (http::read_u32(payload.data()) & http::kLargestId) != 0, "WINDOW_UPDATE");
        break;
      case FrameType::kData:
      case FrameType::kHeaders:
      case FrameType::kContinuation:
        demand(head.stream != 0, "a frame of a stream");
        break;
      default:
        demand(false, "a frame that we never send");
    }
  }
  const int fd_;
  const bool frames_;
  FrameReader reader_;
  size_t to_skip_ = 0;
  bool ended_ = false;
};

Task<void> play(Context& ctx, Other& other, std::string_view octets, size_t slice) {
  Status s;
  while (!octets.empty() && s.is_ok()) {
    const std::string_view now = octets.substr(0, slice);
    octets.remove_prefix(now.size());
    other.send(now);
    // So often that the loop looks at its sockets.
    for (int i = 0; i < 65 && s.is_ok(); ++i) s = co_await yield(ctx);
    other.take();
  }
  for (int i = 0; i < 130 && s.is_ok(); ++i) s = co_await yield(ctx);
  other.take();
}

Task<void> into_server(Context& ctx, int ours, int theirs, std::string_view octets, size_t slice) {
  Echo echo;
  http::ServerOptions options;
  options.handler = &echo;
  options.limits.max_head = 4096;
  options.limits.max_streams = 5;
  Context own(ctx);
  Scope scope(own);
  scope.spawn([&](Context& c) { return http::serve_connection(c, ours, "fuzzer", options, nullptr); });
  {
    Other other(theirs, octets.starts_with(http::kHttp2Preface));
    co_await play(ctx, other, octets, slice);
  }
  scope.cancel(Status::cancelled("the input has ended"));
  co_await scope.join();
}

Task<void> into_client(Context& ctx, int ours, int theirs, std::string_view octets, size_t slice) {
  Notifier changed;
  http::Limits limits;
  limits.max_head = 4096;
  http::Http2Client client(ctx.loop(), http::Connected(ours, "fuzzer"), limits, changed);
  http::Head head;
  head.method = "POST";
  head.scheme = "http";
  head.authority = "x";
  head.target = "/";
  Exchange* open[3];
  for (Exchange*& x : open) {
    x = client.open(head, x == open[0]);
    if (x) x->send(std::string(70'000, 'x'));
  }
  {
    Other other(theirs, true);
    other.skip(http::kHttp2Preface.size());
    co_await play(ctx, other, octets, slice);
  }
  for (Exchange* x : open) {
    if (!x) continue;
    if (x->has_head()) {
      check_fields(x->head().fields);
      demand(x->head().status >= 200 && x->head().status <= 999, "a final status");
    }
    check_fields(x->trailers());
    client.release(*x);
  }
  client.close_now(Status::cancelled("the input has ended"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 100'000) return 0;
  const bool client = data[0] & 1, bare = data[0] & 2;
  std::string octets;
  if (!bare && !client) octets = http::kHttp2Preface;
  if (!bare) {
    Buffer settings;
    http::append_settings(settings, {});
    octets += settings.view();
  }
  octets.append(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t slice = std::max<size_t>({size_t{1} << (data[0] >> 3 & 15), octets.size() / 20, 1});
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return 0;
  run([&](Context& ctx) -> Task<void> {
    return client ? into_client(ctx, fds[0], fds[1], octets, slice) : into_server(ctx, fds[0], fds[1], octets, slice);
  });
  return 0;
}
