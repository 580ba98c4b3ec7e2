// Which HTTP a new connection speaks: the 24 octets of the HTTP/2 preface, or else HTTP/1.1.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "duplex/http/connection.h"
#include "duplex/runtime/socket.h"
#include "http/http1_server.h"
#include "http/http2_server.h"

namespace duplex::http {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Waits until the socket has something to read.
class FirstOctets final : public Watch {
 public:
  FirstOctets(Loop& loop, int fd) : loop_(loop), fd_(fd) { watching_ = loop.watch(fd, *this); }
  ~FirstOctets() {
    if (watching_) loop_.unwatch(fd_, *this);
  }
  void on_ready(bool readable, bool, bool) override {
    if (readable) readable_.notify_all();
  }
  Notifier& readable() { return readable_; }

 private:
  Loop& loop_;
  const int fd_;
  bool watching_ = false;
  Notifier readable_;
};

// At least enough octets to tell; fewer if the peer sends no more in time.
Task<std::string> sniff(Context& ctx, int fd, Duration limit) {
  std::string got;
  Context bounded(ctx, limit);
  FirstOctets first(ctx.loop(), fd);
  while (got.size() < kPreface.size() && kPreface.starts_with(got)) {
    char room[4096];
    ssize_t n = ::recv(fd, room, sizeof room, 0);
    if (n > 0) {
      got.append(room, static_cast<size_t>(n));
      continue;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) break;
    if (errno == EINTR) continue;
    Status waited = co_await first.readable().wait(bounded);
    if (!waited.is_ok()) break;
  }
  co_return got;
}

}  // namespace

namespace {

Task<void> serve_over_tls(Context& ctx, int fd, std::string peer, const ServerOptions& options,
                          ServerConnection** started) {
  Fd socket(fd);
  std::unique_ptr<TlsSession> tls = options.tls->accept();
  if (!tls) co_return;
  Buffer early;
  {
    Context bounded(ctx, options.limits.handshake_timeout);
    Status s = co_await tls_handshake(bounded, fd, *tls, early);
    if (!s.is_ok()) co_return;
  }
  Context own(ctx);
  PeerCertificate certificate;
  if (tls->peer()) {
    certificate = *tls->peer();
    own.put(certificate);
  }
  const bool http2 = tls->protocol() == "h2";
  Connected connected(socket.release(), std::move(peer), std::move(tls));
  if (http2)
    co_await serve_http2(own, std::move(connected), options, early.view(), started);
  else
    co_await serve_http1(own, std::move(connected), options, early.view(), started);
}

}  // namespace

Task<void> serve_connection(Context& ctx, int fd, std::string peer, const ServerOptions& options,
                            ServerConnection** started) {
  if (options.tls) {
    co_await serve_over_tls(ctx, fd, std::move(peer), options, started);
    co_return;
  }
  std::string first = co_await sniff(ctx, fd, options.limits.head_timeout);
  if (first.empty() || ctx.cancelled()) {
    ::close(fd);
    co_return;
  }
  Connected connected(fd, std::move(peer));
  if (first.starts_with(kPreface))
    co_await serve_http2(ctx, std::move(connected), options, first, started);
  else
    co_await serve_http1(ctx, std::move(connected), options, first, started);
}

}  // namespace duplex::http
