#include "duplex/runtime/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "duplex/runtime/wait.h"
#include "runtime/port_holder.h"

namespace duplex {
namespace {

Result<socklen_t> to_sockaddr(const Address& address, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (address.kind() == Address::Kind::kUnix) {
    auto& un = reinterpret_cast<sockaddr_un&>(out);
    if (address.host().size() >= sizeof un.sun_path)
      return Status::invalid_argument("the path of " + address.to_string() + " is longer than the system allows");
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, address.host().data(), address.host().size());
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.host().size() + 1);
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(out);
  if (inet_pton(AF_INET, address.host().c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port());
    return static_cast<socklen_t>(sizeof v4);
  }
  std::memset(&out, 0, sizeof out);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
  if (inet_pton(AF_INET6, address.host().empty() ? "::" : address.host().c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port());
    return static_cast<socklen_t>(sizeof v6);
  }
  return Status::invalid_argument(address.to_string() + " is a name, not an address to listen on or connect to");
}

std::string show(const sockaddr_storage& from) {
  char text[INET6_ADDRSTRLEN] = "";
  if (from.ss_family == AF_INET) {
    auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (from.ss_family == AF_INET6) {
    auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    std::string_view shown = text;
    if (shown.starts_with("::ffff:") && shown.find('.') != shown.npos)
      return std::string(shown.substr(7)) + ":" + std::to_string(ntohs(v6.sin6_port));
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  if (from.ss_family == AF_UNIX) return "unix:" + std::string(reinterpret_cast<const sockaddr_un&>(from).sun_path);
  return "unknown";
}

// Nobody listens on a Unix socket's file any more: true.
bool is_stale(const sockaddr_storage& at, socklen_t size) {
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&at), size) < 0 && errno == ECONNREFUSED;
}

Status listen_error(const Address& address, int error) {
  std::string what = "cannot listen on " + address.to_string() + ": " + std::strerror(error);
  if (error == EADDRINUSE) {
    std::string holder = port_holder(address.port());
    if (address.kind() == Address::Kind::kIp && !holder.empty()) what += " by " + holder;
    return Status::unavailable(what + ". Stop it or choose another address.");
  }
  if (error == EACCES)
    return Status::permission_denied(what + ". A port below 1024 needs CAP_NET_BIND_SERVICE; choose a higher one.");
  return Status::invalid_argument(what);
}

class Connecting final : public Watch {
 public:
  Connecting(Loop& loop, int fd) : loop_(loop), fd_(fd), watching_(loop.watch(fd, *this)) {}
  ~Connecting() {
    if (watching_) loop_.unwatch(fd_, *this);
  }
  void on_ready(bool, bool writable, bool) override {
    if (!writable) return;
    done_ = true;
    changed_.notify_all();
  }
  Task<Status> wait(Context& ctx) {
    while (!done_)
      if (Status s = co_await changed_.wait(ctx); !s.is_ok()) co_return s;
    co_return Status();
  }

 private:
  Loop& loop_;
  const int fd_;
  bool watching_, done_ = false;
  Notifier changed_;
};

void no_delay(int fd) {
  int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // refused by Unix sockets, which need it not
  // A peer that is gone without a word, or that closed both halves while we owe it nothing, is found in some two
  // minutes.
  int idle = 60, interval = 15, count = 4;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Address> Address::parse(std::string_view text) {
  Address a;
  if (text.starts_with("unix:")) {
    a.kind_ = Kind::kUnix;
    a.host_ = text.substr(5);
    if (a.host_.empty()) return Status::invalid_argument("'unix:' needs a path after it");
    return a;
  }
  size_t colon = text.rfind(':');
  std::string shown(text.substr(0, 200));
  if (colon == text.npos) return Status::invalid_argument("'" + shown + "' has no port: write host:port");
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  unsigned number = 0;
  auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (ec != std::errc() || end != port.data() + port.size() || number > 65535)
    return Status::invalid_argument("'" + shown + "': the port must be a number from 0 to 65535");
  a.port_ = static_cast<uint16_t>(number);
  bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != host.npos)
    return Status::invalid_argument("'" + shown + "': write an IPv6 address in brackets, [" + std::string(host) +
                                    "]:" + std::string(port));
  a.host_ = host;
  in6_addr scratch;
  bool ip = host.empty() || inet_pton(AF_INET, a.host_.c_str(), &scratch) == 1 ||
            inet_pton(AF_INET6, a.host_.c_str(), &scratch) == 1;
  if (bracketed && inet_pton(AF_INET6, a.host_.c_str(), &scratch) != 1)
    return Status::invalid_argument("'" + shown + "': what stands in the brackets is no IPv6 address");
  a.kind_ = ip ? Kind::kIp : Kind::kName;
  return a;
}

Result<Address> Address::of_ip(std::string_view ip, uint16_t port) {
  bool v6 = ip.find(':') != ip.npos;
  return parse((v6 ? "[" + std::string(ip) + "]" : std::string(ip)) + ":" + std::to_string(port));
}

std::string Address::to_string() const {
  if (kind_ == Kind::kUnix) return "unix:" + host_;
  bool v6 = host_.find(':') != host_.npos;
  return (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

Result<Fd> listen_on(const Address& address, int backlog) {
  sockaddr_storage at;
  auto size = to_sockaddr(address, at);
  if (!size) return size.error();
  Fd fd(::socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return listen_error(address, errno);
  int one = 1, zero = 0;
  if (address.kind() == Address::Kind::kUnix) {
    struct stat info;
    if (::stat(address.host().c_str(), &info) == 0 && S_ISSOCK(info.st_mode) && is_stale(at, *size))
      ::unlink(address.host().c_str());
  } else {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at.ss_family == AF_INET6)
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, address.host().empty() ? &zero : &one, sizeof one);
  }
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), *size) < 0 || ::listen(fd.get(), backlog) < 0)
    return listen_error(address, errno);
  return fd;
}

std::string local_address(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) < 0) return "unknown";
  return show(at);
}

Acceptor::Acceptor(Loop& loop, Fd listening, Accepted accepted)
    : loop_(loop), fd_(std::move(listening)), accepted_(std::move(accepted)) {
  loop_.watch(fd_.get(), *this);
}

Acceptor::~Acceptor() { loop_.unwatch(fd_.get(), *this); }

void Acceptor::on_ready(bool readable, bool, bool) {
  if (!readable) return;
  for (;;) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    int fd = ::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      no_delay(fd);
      accepted_(Fd(fd), from.ss_family == AF_UNIX ? "unix:" : show(from));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) loop_.arm(retry_, after(loop_.now(), std::chrono::milliseconds(100)));
    return;
  }
}

Task<Result<Fd>> connect_to(Context& ctx, const Address& address) {
  if (ctx.cancelled()) co_return ctx.why();
  sockaddr_storage at;
  auto size = to_sockaddr(address, at);
  if (!size) co_return size.error();
  Fd fd(::socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) co_return Status::resource_exhausted(std::string("no socket: ") + std::strerror(errno));
  no_delay(fd.get());
  int error = 0;
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), *size) < 0) error = errno;
  if (error == EINPROGRESS) {
    Connecting connecting(ctx.loop(), fd.get());
    if (Status s = co_await connecting.wait(ctx); !s.is_ok()) co_return s;
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error) co_return Status::unavailable(std::strerror(error));
  co_return std::move(fd);
}

}  // namespace duplex
