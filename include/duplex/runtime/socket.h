// Addresses and sockets: listen, accept, connect. Descriptors here are non-blocking and close-on-exec.
#pragma once

#include <string>
#include <string_view>

#include "duplex/base/status.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

struct sockaddr_storage;

namespace duplex {

// "127.0.0.1:8080", "[::1]:8080", ":8080" (every address, both families), "unix:/run/x.sock", or "host.name:8080",
// which is no socket address yet: a name for the resolver.
class Address {
 public:
  enum class Kind : uint8_t { kIp, kUnix, kName };
  // INVALID_ARGUMENT says what is wrong with the text.
  static Result<Address> parse(std::string_view text);
  // The same address or name, as an IP address from a resolver: `ip` is the text of a v4 or v6 address.
  static Result<Address> of_ip(std::string_view ip, uint16_t port);

  Kind kind() const { return kind_; }
  const std::string& host() const { return host_; }  // IP text, name, or path
  uint16_t port() const { return port_; }
  std::string to_string() const;

 private:
  Kind kind_ = Kind::kIp;
  std::string host_;
  uint16_t port_ = 0;
};

// An owned descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(o.release()) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

// Bound and listening. UNAVAILABLE: the address is in use, and by whom where the system tells; PERMISSION_DENIED and
// INVALID_ARGUMENT otherwise. A Unix socket's stale file, which nobody listens on, is replaced.
Result<Fd> listen_on(const Address& address, int backlog = 1024);
// Where `fd` really listens: the port that the system chose for port 0.
std::string local_address(int fd);

// Hands out accepted sockets as they come: f(Fd, peer). Lives on its loop.
class Acceptor final : public Watch {
 public:
  using Accepted = std::move_only_function<void(Fd socket, std::string peer)>;
  Acceptor(Loop& loop, Fd listening, Accepted accepted);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  std::string address() const { return local_address(fd_.get()); }

 private:
  struct Retry final : Timer {
    explicit Retry(Acceptor& a) : acceptor(a) {}
    void fire() override { acceptor.on_ready(true, false, false); }
    Acceptor& acceptor;
  };
  void on_ready(bool readable, bool writable, bool hangup) override;
  Loop& loop_;
  Fd fd_;
  Accepted accepted_;
  Retry retry_{*this};  // out of descriptors: again a little later
};

// A connected socket. UNAVAILABLE says what the system said; or why ctx was cancelled.
Task<Result<Fd>> connect_to(Context& ctx, const Address& address);

}  // namespace duplex
