#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "duplex/runtime/tls.h"
#include "duplex/runtime/wait.h"

namespace duplex {
namespace {

class SocketReady final : public Watch {
 public:
  SocketReady(Loop& loop, int fd) : loop_(loop), fd_(fd), watching_(loop.watch(fd, *this)) {}
  ~SocketReady() {
    if (watching_) loop_.unwatch(fd_, *this);
  }
  void on_ready(bool, bool, bool) override { changed_.notify_all(); }
  bool watching() const { return watching_; }
  Notifier& changed() { return changed_; }

 private:
  Loop& loop_;
  const int fd_;
  const bool watching_;
  Notifier changed_;
};

Status lost(int error) {
  return Status::unavailable(error
                                 ? std::string("TLS: the connection was lost in the handshake: ") + std::strerror(error)
                                 : "TLS: the other side closed the connection in the handshake");
}

// Sends what the session has for the network, as far as the socket takes it.
Status flush(int fd, Buffer& out) {
  while (!out.empty()) {
    const ssize_t n = ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
    if (n > 0)
      out.consume(static_cast<size_t>(n));
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return Status();
    else if (errno != EINTR)
      return lost(errno);
  }
  return Status();
}

}  // namespace

Task<Status> tls_handshake(Context& ctx, int fd, TlsSession& session, Buffer& plain) {
  SocketReady ready(ctx.loop(), fd);
  if (!ready.watching()) co_return Status::resource_exhausted("the loop cannot watch one more socket");
  Status s = session.receive({}, plain);  // a client speaks first
  while (s.is_ok()) {
    s = flush(fd, session.out());
    if (!s.is_ok() || (session.open() && session.out().empty())) co_return s;
    if (!session.open()) {
      char room[16384];
      const ssize_t n = ::recv(fd, room, sizeof room, 0);
      if (n > 0) {
        s = session.receive({room, static_cast<size_t>(n)}, plain);
        continue;
      }
      if (n == 0) co_return lost(0);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return lost(errno);
    }
    s = co_await ready.changed().wait(ctx);
  }
  Status sent = flush(fd, session.out());  // the alert, if there is one
  static_cast<void>(sent);
  co_return s;
}

}  // namespace duplex
