// bench_replay: recorded client octets through a whole Server in process, with a null socket. What is measured is the
// user time of a call: the system's part of a turn is left out.
//
// The library is the one that is shipped, unchanged: this program defines recv, send, accept4, epoll_ctl and
// epoll_wait, which the linker takes before libc's. Connections are real until they are all there; from then on
// epoll_wait says that every one of them can be read, recv hands over the next 20 recorded calls, and send counts what
// it is given.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#include "duplex/app/server.h"
#include "echo_service.h"
#include "load/request.h"

namespace {

constexpr size_t kConnections = 10, kStreams = 20;

// What a client sends: its preface, then batches of kStreams calls. The same for each connection.
struct Recording {
  std::string octets;
  std::vector<size_t> ends;  // of the preface and of each batch
};

struct Replay {
  bool accepted = false, closed = false;
  epoll_event event{};  // as the server registered it
  int epoll = -1;
  size_t at = 0, batch = 0, sent = 0;
  std::string kept;  // the first replies of the first connection
};

Recording recording;
Replay replays[1024];          // by descriptor
std::vector<int> connections;  // descriptors in the order of their accept
std::atomic<size_t> opened{0};
std::atomic<bool> go{false}, finished{false};

// Segments of turns, each of them measured.
struct Point {
  int64_t cpu;  // ns of the loop's thread
  uint64_t allocations, octets;
};
size_t turns_a_segment = 0, turns = 0;
std::vector<Point> points;

thread_local uint64_t allocations = 0, allocated = 0;
thread_local bool counting = false;

int64_t thread_cpu() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

Point point() { return {thread_cpu(), allocations, allocated}; }

// Where user time goes: the stack at each tick of the process's own clock, printed for the script to resolve.
constexpr int kDepth = 40;
struct Sample {
  void* stack[kDepth];
  int depth;
};
Sample samples[8192];
std::atomic<size_t> sample_count{0};
void on_sample(int, siginfo_t*, void*) {
  size_t i = sample_count.fetch_add(1, std::memory_order_relaxed);
  if (i < std::size(samples)) samples[i].depth = backtrace(samples[i].stack, kDepth);
}

ssize_t replay_recv(Replay& r, void* to, size_t room) {
  if (r.batch >= recording.ends.size() || (r.batch > 0 && !go.load(std::memory_order_relaxed))) {
    errno = EAGAIN;
    return -1;
  }
  size_t n = std::min(room, recording.ends[r.batch] - r.at);
  std::memcpy(to, recording.octets.data() + r.at, n);
  r.at += n;
  if (r.at == recording.ends[r.batch]) ++r.batch;
  return static_cast<ssize_t>(n);
}

template <class F>
F next_of(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t recv(int fd, void* to, size_t room, int flags) {
  if (static_cast<size_t>(fd) < std::size(replays) && replays[fd].accepted) return replay_recv(replays[fd], to, room);
  return recvfrom(fd, to, room, flags, nullptr, nullptr);
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  if (static_cast<size_t>(fd) < std::size(replays) && replays[fd].accepted) {
    Replay& r = replays[fd];
    r.sent += size;
    if (fd == connections[0] && r.kept.size() < 200'000) r.kept.append(static_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
  }
  return sendto(fd, data, size, flags, nullptr, 0);
}

int accept4(int fd, sockaddr* from, socklen_t* size, int flags) {
  static auto real = next_of<int (*)(int, sockaddr*, socklen_t*, int)>("accept4");
  int accepted = real(fd, from, size, flags);
  if (accepted >= 0 && static_cast<size_t>(accepted) < std::size(replays)) {
    replays[accepted].accepted = true;
    connections.push_back(accepted);
  }
  return accepted;
}

int epoll_ctl(int epoll, int op, int fd, epoll_event* event) noexcept {
  static auto real = next_of<int (*)(int, int, int, epoll_event*)>("epoll_ctl");
  if (static_cast<size_t>(fd) < std::size(replays) && replays[fd].accepted) {
    Replay& r = replays[fd];
    if (op == EPOLL_CTL_ADD) {
      r.epoll = epoll;
      r.event = *event;
      // The second registration is the connection's own, after its first octets were looked at.
      if (r.batch > 0) ++opened;
    } else if (op == EPOLL_CTL_DEL) {
      r.epoll = -1;
    }
  }
  return real(epoll, op, fd, event);
}

int epoll_wait(int epoll, epoll_event* events, int room, int timeout) {
  static auto real = next_of<int (*)(int, epoll_event*, int, int)>("epoll_wait");
  if (!go.load(std::memory_order_acquire) || finished || connections.empty() || replays[connections[0]].epoll != epoll)
    return real(epoll, events, room, timeout);
  if (points.empty()) {
    counting = true;
    points.push_back(point());
  } else if (++turns % turns_a_segment == 0) {
    points.push_back(point());
    if (points.size() == 2) {
      CALLGRIND_START_INSTRUMENTATION;  // under valgrind --instr-atstart=no: all but the first segment
    }
  }
  int count = 0;
  for (int fd : connections) {
    if (replays[fd].epoll != epoll || replays[fd].batch >= recording.ends.size() || count >= room) continue;
    events[count] = replays[fd].event;
    events[count++].events = EPOLLIN;
  }
  if (count) return count;
  CALLGRIND_STOP_INSTRUMENTATION;
  counting = false;
  finished = true;
  finished.notify_all();
  return real(epoll, events, room, timeout);
}

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* malloc(size_t size) {
  if (counting) ++allocations, allocated += size;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  if (counting) ++allocations, allocated += count * size;
  return __libc_calloc(count, size);
}
void* realloc(void* p, size_t size) {
  if (counting) ++allocations, allocated += size;
  return __libc_realloc(p, size);
}

}  // extern "C"

namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "replay: %s\n", what.c_str());
  std::_Exit(1);
}

// The client of which the octets are recorded, and which reads replies afterwards.
class Client {
 public:
  Client() {
    nghttp2_session_callbacks* c;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(
        c, [](nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size, const uint8_t* value,
              size_t value_size, uint8_t, void* self) {
          if (std::string_view(reinterpret_cast<const char*>(name), name_size) == "grpc-status" && value_size == 1 &&
              *value == '0')
            ++static_cast<Client*>(self)->ok;
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        c, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
          auto& client = *static_cast<Client*>(self);
          if (client.id_ != id) client.reply_.clear();
          client.id_ = id;
          client.reply_.append(reinterpret_cast<const char*>(data), size);
          if (client.reply_ == bench::request_frame((id - 1) / 2)) ++client.same;
          return 0;
        });
    nghttp2_option* options;
    nghttp2_option_new(&options);
    nghttp2_option_set_peer_max_concurrent_streams(options, 0x7fffffff);
    nghttp2_session_client_new2(&session_, c, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 0x7fffffff);
    write();
    recording.ends.push_back(recording.octets.size());
    // A server's SETTINGS and a large window, so that nothing of the recording waits for anything.
    const uint8_t server[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0};
    if (nghttp2_session_mem_recv(session_, server, sizeof server) != sizeof server) die("the client does not listen");
  }
  ~Client() { nghttp2_session_del(session_); }

  void record_batch() {
    for (size_t i = 0; i < kStreams; ++i) {
      calls_.push_back(bench::request_frame(static_cast<int64_t>(calls_.size())));
      auto nv = [](std::string_view n, std::string_view v) {
        return nghttp2_nv{reinterpret_cast<uint8_t*>(const_cast<char*>(n.data())),
                          reinterpret_cast<uint8_t*>(const_cast<char*>(v.data())), n.size(), v.size(), 0};
      };
      nghttp2_nv fields[] = {nv(":method", "POST"),       nv(":scheme", "http"), nv(":authority", "127.0.0.1:8080"),
                             nv(":path", bench::kUnary),  nv("te", "trailers"),  nv("content-type", "application/grpc"),
                             nv("user-agent", "replay/1")};
      nghttp2_data_provider provider{};
      body_ = &calls_.back();
      provider.source.ptr = this;
      provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t, uint32_t* flags,
                                  nghttp2_data_source* source, void*) {
        const std::string& body = *static_cast<Client*>(source->ptr)->body_;
        std::memcpy(to, body.data(), body.size());
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(body.size());
      };
      if (nghttp2_submit_request(session_, nullptr, fields, std::size(fields), &provider, nullptr) < 0)
        die("cannot record a call");
      write();
      calls_.back().clear();
    }
    recording.ends.push_back(recording.octets.size());
  }

  void read(std::string_view replies) {
    ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(replies.data()), replies.size());
    if (n < 0) die(std::string("the replies are no HTTP/2: ") + nghttp2_strerror(static_cast<int>(n)));
  }
  size_t ok = 0, same = 0;

 private:
  void write() {
    const uint8_t* data;
    for (ssize_t n; (n = nghttp2_session_mem_send(session_, &data)) > 0;)
      recording.octets.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
  }
  nghttp2_session* session_;
  std::vector<std::string> calls_;
  const std::string* body_ = nullptr;
  std::string reply_;
  int32_t id_ = 0;
};

void print_samples() {
  size_t count = std::min(sample_count.load(), std::size(samples));
  std::printf(", \"samples\": [");
  for (size_t i = 0; i < count; ++i) {
    std::printf("%s[", i ? ", " : "");
    for (int k = 2; k < samples[i].depth; ++k) {  // 0 is on_sample, 1 what called it for the kernel
      Dl_info where{};
      dladdr(samples[i].stack[k], &where);
      std::printf("%s[\"%s\", %llu]", k > 2 ? ", " : "", where.dli_fname ? where.dli_fname : "",
                  static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(samples[i].stack[k]) -
                                                  reinterpret_cast<uintptr_t>(where.dli_fbase)));
    }
    std::printf("]");
  }
  std::printf("]");
}

}  // namespace

// replay SEGMENTS TURNS-A-SEGMENT [profile]: prints JSON
int main(int argc, char** argv) {
  const size_t segments = argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 12;
  turns_a_segment = argc > 2 ? static_cast<size_t>(std::atoi(argv[2])) : 400;
  const bool profile = argc > 3 && std::string_view(argv[3]) == "profile";
  Client client;
  for (size_t i = 0; i < segments * turns_a_segment; ++i) client.record_batch();
  points.reserve(segments + 1);

  duplex::Server::Settings settings;
  settings.service_name = "echo";
  settings.log_file = "/dev/null";  // written all the same: a line a call, one write a turn
  settings.loops = 1;
  duplex::Server server(settings);
  server.listen("127.0.0.1:0").serve(std::make_shared<duplex::bench::EchoService>());
  if (duplex::Status s = server.start(); !s.is_ok()) die(s.message());
  const std::string address = server.addresses()[0];
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> clients;
  for (size_t i = 0; i < kConnections; ++i) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    clients.push_back(fd);
    if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0)
      die(std::string("connect: ") + std::strerror(errno));
  }
  for (int i = 0; opened < kConnections; ++i) {
    if (i > 5000) die("the server has not taken the connections in 5 s");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (profile) {
    void* warm[4];
    static_cast<void>(backtrace(warm, 4));  // loads the unwinder
    struct sigaction action{};
    action.sa_sigaction = on_sample;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGPROF, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    timer_t timer;
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
    itimerspec each{{0, 500'000}, {0, 500'000}};
    timer_settime(timer, 0, &each, nullptr);
  }
  go.store(true, std::memory_order_release);
  // The loop sleeps; what a client really sends wakes it.
  if (sendto(clients[0], "x", 1, 0, nullptr, 0) != 1) die("cannot wake the loop");
  finished.wait(false);
  if (profile) signal(SIGPROF, SIG_IGN);

  const size_t calls = turns_a_segment * kConnections * kStreams;
  client.read(replays[connections[0]].kept);
  std::printf(
      "{\"calls\": %zu, \"connections\": %zu, \"streams\": %zu, \"replies_read\": %zu, \"replies_same\": %zu, "
      "\"octets_in_per_call\": %.1f, \"octets_out_per_call\": %.1f, \"ns\": [",
      calls * segments, kConnections, kStreams, client.ok, client.same,
      static_cast<double>(recording.octets.size()) / static_cast<double>(kStreams * segments * turns_a_segment),
      static_cast<double>(replays[connections[0]].sent) / static_cast<double>(kStreams * segments * turns_a_segment));
  auto each = [&](auto value) {
    for (size_t i = 1; i < points.size(); ++i)
      std::printf("%s%.3f", i > 1 ? ", " : "",
                  static_cast<double>(value(points[i]) - value(points[i - 1])) / static_cast<double>(calls));
  };
  each([](const Point& p) { return p.cpu; });
  std::printf("], \"allocations\": [");
  each([](const Point& p) { return p.allocations; });
  std::printf("], \"allocated_octets\": [");
  each([](const Point& p) { return p.octets; });
  std::printf("]");
  if (profile) print_samples();
  std::printf("}\n");
  std::fflush(stdout);
  std::_Exit(client.ok > 0 && client.ok == client.same ? 0 : 1);  // what is still connected does not matter
}
