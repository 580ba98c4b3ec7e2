// A neutral client of the benchmarks' servers on bare nghttp2: closed loop, open loop, one stream, and a comparison of
// two servers' replies. Prints one JSON object. Every 1,000th reply is compared byte for byte with what was sent (a
// reply has the request's fields, so its octets are the same).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "load/request.h"

namespace {

using Clock = std::chrono::steady_clock;
int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "h2_load: %s\n", what.c_str());
  std::exit(1);
}

struct Options {
  std::string mode, address, other;
  size_t connections = 1, streams = 1, octets = 1024;
  int64_t calls = 0, messages = 0;
  double rate = 0, seconds = 0;
};

class Load;
class Connection;

struct Call {
  int64_t index = 0, intended = 0;
  std::string body;  // the request, gRPC-framed
  size_t sent = 0;
  std::string reply;  // kept for those that are compared
  size_t received = 0;
  bool keep = false, status_ok = false;
};

// Counts the messages of a stream without keeping them.
class Frames {
 public:
  int64_t messages = 0;
  bool whole() const { return header_ == 0 && left_ == 0; }
  void add(const uint8_t* data, size_t size) {
    while (size) {
      if (left_) {
        size_t n = std::min(left_, size);
        left_ -= n;
        data += n;
        size -= n;
        if (!left_) ++messages;
        continue;
      }
      if (header_) size_ = size_ << 8 | *data;
      ++data;
      --size;
      if (++header_ < 5) continue;
      left_ = size_;
      size_ = 0;
      header_ = 0;
      if (!left_) ++messages;
    }
  }

 private:
  size_t left_ = 0, header_ = 0;
  uint32_t size_ = 0;
};

class Load {
 public:
  explicit Load(const Options& o) : options(o) {}
  bool take_next(int64_t& index) {
    if (options.calls && started >= options.calls) return false;
    if (deadline && now_ns() >= deadline) return false;
    index = started++;
    return true;
  }
  void finished(Call& call, uint32_t code);

  const Options& options;
  int64_t started = 0, done = 0, errors = 0, compared = 0, different = 0, octets = 0, messages = 0;
  int64_t deadline = 0, record_from = 0;
  bool closed_loop = false;
  Frames frames;
  std::vector<uint32_t> latencies;  // ns
  std::vector<std::string>* replies = nullptr;
};

class Connection {
 public:
  Connection(Load& load, const std::string& address, std::string path) : load_(load), path_(std::move(path)) {
    size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0)
      die("connect " + address + ": " + std::strerror(errno));
    int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    authority_ = address;
    nghttp2_session_callbacks* c;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_client_new(&session_, c, this);
    nghttp2_session_callbacks_del(c);
    constexpr int32_t kWindow = 1 << 30;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow},
                                         {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);
  }
  ~Connection() {
    nghttp2_session_del(session_);
    close(fd_);
  }
  Connection(const Connection&) = delete;

  int fd() const { return fd_; }
  size_t in_flight() const { return in_flight_; }
  bool blocked() const { return !out_.empty(); }

  void submit(int64_t index, int64_t intended, std::string body) {
    Call* call;
    if (spare_.empty()) {
      all_.push_back(std::make_unique<Call>());
      call = all_.back().get();
    } else {
      call = spare_.back();
      spare_.pop_back();
    }
    call->index = index;
    call->intended = intended;
    call->body = std::move(body);
    call->sent = call->received = 0;
    call->reply.clear();
    call->keep = load_.options.mode != "stream" && (load_.replies || index % 1000 == 0);
    call->status_ok = false;
    constexpr uint8_t kKept = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    auto nv = [](std::string_view n, std::string_view v) {
      return nghttp2_nv{reinterpret_cast<uint8_t*>(const_cast<char*>(n.data())),
                        reinterpret_cast<uint8_t*>(const_cast<char*>(v.data())), n.size(), v.size(), kKept};
    };
    nghttp2_nv fields[] = {nv(":method", "POST"),         nv(":scheme", "http"),
                           nv(":authority", authority_),  nv(":path", path_),
                           nv("te", "trailers"),          nv("content-type", "application/grpc"),
                           nv("user-agent", "h2_load/1"), nv("grpc-accept-encoding", "identity")};
    nghttp2_data_provider provider{};
    provider.source.ptr = call;
    provider.read_callback = pull;
    int32_t id = nghttp2_submit_request(session_, nullptr, fields, std::size(fields), &provider, call);
    if (id < 0) die(std::string("submit: ") + nghttp2_strerror(id));
    ++in_flight_;
  }

  // In a closed loop: the next call, if there is one.
  void next() {
    int64_t index;
    if (load_.take_next(index)) submit(index, now_ns(), bench::request_frame(index));
  }

  void read() {
    static thread_local char room[256 * 1024];
    for (;;) {
      ssize_t n = recv(fd_, room, sizeof room, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) die("the server has closed the connection");
      ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<uint8_t*>(room), static_cast<size_t>(n));
      if (taken < 0) die(std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken)));
      if (static_cast<size_t>(n) < sizeof room) return;
    }
  }

  void write() {
    const uint8_t* data;
    while (out_.size() < 256 * 1024) {
      ssize_t n = nghttp2_session_mem_send(session_, &data);
      if (n < 0) die(std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(n)));
      if (n == 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
    }
    size_t sent = 0;
    while (sent < out_.size()) {
      ssize_t n = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) die(std::string("send: ") + std::strerror(errno));
      sent += static_cast<size_t>(n);
    }
    out_.erase(0, sent);
  }

  std::deque<int64_t> waiting;  // intended times of calls that wait for a stream

 private:
  static ssize_t pull(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags, nghttp2_data_source* source,
                      void*) {
    auto& call = *static_cast<Call*>(source->ptr);
    size_t n = std::min(room, call.body.size() - call.sent);
    std::memcpy(to, call.body.data() + call.sent, n);
    call.sent += n;
    if (call.sent == call.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
  static int on_header(nghttp2_session* s, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void*) {
    if (name_size != 11 || std::memcmp(name, "grpc-status", 11) != 0) return 0;
    auto* call = static_cast<Call*>(nghttp2_session_get_stream_user_data(s, frame->hd.stream_id));
    if (call) call->status_ok = value_size == 1 && *value == '0';
    return 0;
  }
  static int on_data(nghttp2_session* s, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    auto* call = static_cast<Call*>(nghttp2_session_get_stream_user_data(s, id));
    if (!call) return 0;
    call->received += size;
    Load& load = static_cast<Connection*>(user)->load_;
    if (load.options.mode == "stream") load.frames.add(data, size);
    if (call->keep) call->reply.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int on_close(nghttp2_session* s, int32_t id, uint32_t code, void* user) {
    auto& self = *static_cast<Connection*>(user);
    auto* call = static_cast<Call*>(nghttp2_session_get_stream_user_data(s, id));
    if (!call) return 0;
    --self.in_flight_;
    self.load_.finished(*call, code);
    self.spare_.push_back(call);
    if (self.load_.closed_loop) {
      self.next();
    } else if (!self.waiting.empty()) {
      int64_t due = self.waiting.front();
      self.waiting.pop_front();
      int64_t index = self.load_.started++;
      self.submit(index, due, bench::request_frame(index));
    }
    return 0;
  }

  Load& load_;
  int fd_;
  const std::string path_;
  std::string authority_, out_;
  nghttp2_session* session_ = nullptr;
  size_t in_flight_ = 0;
  std::vector<std::unique_ptr<Call>> all_;
  std::vector<Call*> spare_;
};

void Load::finished(Call& call, uint32_t code) {
  ++done;
  octets += static_cast<int64_t>(call.received);
  if (code != 0 || !call.status_ok) ++errors;
  if (options.mode == "stream") {
    messages = frames.messages;
    if (!frames.whole()) ++errors;
    return;
  }
  if (call.intended >= record_from) latencies.push_back(static_cast<uint32_t>(now_ns() - call.intended));
  if (call.received != call.body.size())
    ++different;
  else if (call.keep)
    ++compared, different += call.reply != call.body;
  if (replies) (*replies)[static_cast<size_t>(call.index)] = std::move(call.reply);
}

class Sockets {
 public:
  Sockets(Load& load, const std::string& address, size_t count, const std::string& path) {
    for (size_t i = 0; i < count; ++i) {
      all.push_back(std::make_unique<Connection>(load, address, path));
      polled_.push_back({all.back()->fd(), POLLIN, 0});
    }
  }
  void turn(int timeout) {
    for (size_t i = 0; i < all.size(); ++i) polled_[i].events = all[i]->blocked() ? POLLIN | POLLOUT : POLLIN;
    if (poll(polled_.data(), polled_.size(), timeout) <= 0) return;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!polled_[i].revents) continue;
      if (polled_[i].revents & ~POLLOUT) all[i]->read();
      all[i]->write();
    }
  }
  size_t in_flight() const {
    size_t sum = 0;
    for (auto& c : all) sum += c->in_flight();
    return sum;
  }
  std::vector<std::unique_ptr<Connection>> all;

 private:
  std::vector<pollfd> polled_;
};

void run_closed(Load& load, Sockets& sockets) {
  load.closed_loop = true;
  for (size_t s = 0; s < load.options.streams; ++s)
    for (auto& c : sockets.all) c->next();
  for (auto& c : sockets.all) c->write();
  while (sockets.in_flight()) sockets.turn(1000);
}

// Calls fall due by a Poisson process of a fixed seed; a call that finds its connection full waits, its clock running.
// The loop never sleeps: it has a core of its own.
std::vector<uint32_t> run_open(Load& load, Sockets& sockets) {
  std::vector<uint32_t> late;
  std::mt19937_64 random(42);
  std::exponential_distribution<double> gap(load.options.rate / 1e9);
  const int64_t start = now_ns(), end = start + static_cast<int64_t>(load.options.seconds * 1e9);
  load.record_from = start + (end - start) / 10;
  double due = static_cast<double>(start);
  size_t turn = 0;
  std::vector<bool> dirty(sockets.all.size());
  for (int64_t now = start; now < end || sockets.in_flight(); now = now_ns()) {
    for (; due <= static_cast<double>(std::min(now, end)); due += gap(random)) {
      size_t at = turn++ % sockets.all.size();
      Connection& c = *sockets.all[at];
      if (c.in_flight() >= load.options.streams) {
        c.waiting.push_back(static_cast<int64_t>(due));
        continue;
      }
      late.push_back(static_cast<uint32_t>(now_ns() - static_cast<int64_t>(due)));
      int64_t index = load.started++;
      c.submit(index, static_cast<int64_t>(due), bench::request_frame(index));
      dirty[at] = true;
    }
    for (size_t i = 0; i < dirty.size(); ++i) {
      if (!dirty[i]) continue;
      sockets.all[i]->write();
      dirty[i] = false;
    }
    sockets.turn(0);
    if (now > end + 5'000'000'000) die("calls are still open 5 s after the end");
  }
  return late;
}

double percentile(std::vector<uint32_t>& v, double p) {
  if (v.empty()) return 0;
  auto at = v.begin() + static_cast<ptrdiff_t>(
                            std::min<double>(static_cast<double>(v.size()) * p, static_cast<double>(v.size() - 1)));
  std::nth_element(v.begin(), at, v.end());
  return *at / 1000.0;
}

double own_cpu() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int verify(Options options) {
  const std::string addresses[] = {options.address, options.other};
  std::vector<std::string> replies[2];
  int64_t errors = 0, different = 0;
  for (int i = 0; i < 2; ++i) {
    Load load(options);
    replies[i].resize(static_cast<size_t>(options.calls));
    load.replies = &replies[i];
    Sockets sockets(load, addresses[i], options.connections, bench::kUnary);
    run_closed(load, sockets);
    errors += load.errors;
    different += load.different;
  }
  for (size_t i = 0; i < replies[0].size(); ++i) different += replies[0][i] != replies[1][i] || replies[0][i].empty();
  std::printf("{\"compared\": %zu, \"different\": %lld, \"errors\": %lld}\n", replies[0].size(),
              static_cast<long long>(different), static_cast<long long>(errors));
  return errors || different;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (argc == 3 && std::string_view(argv[1]) == "request") {  // h2load's -d: one framed request
    std::string frame = bench::request_frame(0);
    std::FILE* f = std::fopen(argv[2], "wb");
    bool written = f && std::fwrite(frame.data(), 1, frame.size(), f) == frame.size() && std::fclose(f) == 0;
    if (!written) die(std::string(argv[2]) + ": " + std::strerror(errno));
    std::printf("{\"frame\": %zu}\n", frame.size());
    return 0;
  }
  int at = 1;
  if (argc < 3)
    die("usage: h2_load closed|open|stream|verify ADDRESS [OTHER] --connections C --streams S --calls N "
        "--seconds T --rate R --messages N --octets N; h2_load request FILE");
  o.mode = argv[at++];
  o.address = argv[at++];
  if (o.mode == "verify" && at < argc) o.other = argv[at++];
  for (; at + 1 < argc; at += 2) {
    std::string_view name = argv[at];
    double value = std::atof(argv[at + 1]);
    if (name == "--connections")
      o.connections = static_cast<size_t>(value);
    else if (name == "--streams")
      o.streams = static_cast<size_t>(value);
    else if (name == "--calls")
      o.calls = static_cast<int64_t>(value);
    else if (name == "--messages")
      o.messages = static_cast<int64_t>(value);
    else if (name == "--octets")
      o.octets = static_cast<size_t>(value);
    else if (name == "--seconds")
      o.seconds = value;
    else if (name == "--rate")
      o.rate = value;
    else
      die("no such option: " + std::string(name));
  }
  if (o.mode == "verify") return verify(o);
  Load load(o);
  std::vector<uint32_t> late;
  if (o.calls) load.latencies.reserve(static_cast<size_t>(o.calls));
  Sockets sockets(load, o.address, o.connections, o.mode == "stream" ? bench::kStream : bench::kUnary);
  const double cpu = own_cpu();
  const int64_t start = now_ns();
  if (o.seconds > 0 && o.mode == "closed") load.deadline = start + static_cast<int64_t>(o.seconds * 1e9);
  if (o.mode == "closed") {
    run_closed(load, sockets);
  } else if (o.mode == "open") {
    late = run_open(load, sockets);
  } else if (o.mode == "stream") {
    sockets.all[0]->submit(0, start, bench::stream_frame(o.messages, static_cast<int32_t>(o.octets)));
    sockets.all[0]->write();
    while (sockets.in_flight()) sockets.turn(1000);
    if (load.messages != o.messages) ++load.errors;
  } else {
    die("no such mode: " + o.mode);
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  std::printf(
      "{\"calls\": %lld, \"messages\": %lld, \"octets\": %lld, \"errors\": %lld, \"compared\": %lld, "
      "\"different\": %lld, \"seconds\": %.4f, \"load_cpu_s\": %.4f, \"p50_us\": %.2f, \"p90_us\": %.2f, "
      "\"p99_us\": %.2f, \"p999_us\": %.2f, \"late_p99_us\": %.2f}\n",
      static_cast<long long>(load.done), static_cast<long long>(load.messages), static_cast<long long>(load.octets),
      static_cast<long long>(load.errors), static_cast<long long>(load.compared),
      static_cast<long long>(load.different), seconds, own_cpu() - cpu, percentile(load.latencies, .5),
      percentile(load.latencies, .9), percentile(load.latencies, .99), percentile(load.latencies, .999),
      percentile(late, .99));
  return load.errors || load.different;
}
