#include "http/socket_io.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace duplex::http {
namespace {
// Shared by the loop's connections: what is read is parsed before anything else reads.
constexpr size_t kReadSize = 64 * 1024;
thread_local char read_buffer[kReadSize];
}  // namespace

bool SocketIo::start_io() { return loop_.watch(fd_, *this); }

void SocketIo::close_socket() {
  if (fd_ < 0) return;
  loop_.unwatch(fd_, *this);
  EndOfTurn::unlink();
  if (tls_ && !failed_ && !write_blocked_) {
    tls_->close();
    failed_ = true;  // nobody hears of what fails now
    send_from(tls_->out());
  }
  ::close(fd_);
  fd_ = -1;
}

void SocketIo::shut_down_writing() {
  if (tls_) {
    tls_->close();
    send_from(tls_->out());
  }
  if (fd_ >= 0) ::shutdown(fd_, SHUT_WR);
}

void SocketIo::on_ready(bool readable, bool writable, bool hangup) {
  if (writable && write_blocked_) {
    write_blocked_ = false;
    write_out();
    if (!write_blocked_ && fd_ >= 0) on_written();
  }
  hangup_ |= hangup;
  if (readable && fd_ >= 0) {
    readable_ = true;
    if (reading_) read_some(hangup_);
  }
  // Who does not read any more, because it holds the peer back or because the peer has closed its half, would not learn
  // from a read that the connection was reset.
  if (hangup && fd_ >= 0 && (eof_seen_ || !reading_)) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error) fail(error);
  }
}

void SocketIo::fail(int error) {
  if (failed_) return;
  failed_ = eof_seen_ = true;
  on_eof(error);
}

void SocketIo::resume_reading() {
  if (reading_) return;
  reading_ = true;
  if (readable_ && fd_ >= 0) read_some(true);
}

void SocketIo::read_some(bool to_the_end) {
  // One read a turn is the rule; a full buffer or a hangup means that more is there for certain.
  while (fd_ >= 0 && reading_ && !eof_seen_) {
    ssize_t n = ::recv(fd_, read_buffer, kReadSize, 0);
    if (n > 0) {
      from_network(read_buffer, static_cast<size_t>(n));
      want_write();
      if (static_cast<size_t>(n) < kReadSize && !to_the_end) {
        readable_ = false;
        return;
      }
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      readable_ = false;
      return;
    }
    if (n < 0) return fail(errno);
    eof_seen_ = true;
    on_eof(0);
    return;
  }
}

void SocketIo::from_network(const char* data, size_t size) {
  if (!tls_) return on_octets(data, size);
  Buffer plain;
  const Status s = tls_->receive({data, size}, plain);
  if (!plain.empty()) on_octets(plain.data(), plain.size());
  if (fd_ < 0 || (s.is_ok() && !tls_->closed())) return;
  if (s.is_ok()) {
    eof_seen_ = true;
    return on_eof(0);
  }
  if (!tls_->out().empty()) send_from(tls_->out());  // the alert
  fail(EPROTO);
}

void SocketIo::write_out() {
  if (!tls_) {
    send_from(out_);
    return;
  }
  if (!out_.empty()) {
    const Status s = tls_->send(out_.view());
    octets_sent_ += out_.size();
    out_.clear();
    if (!s.is_ok()) return fail(EPROTO);
  }
  send_from(tls_->out());
}

// False: the socket has failed.
bool SocketIo::send_from(Buffer& buffer) {
  size_t sent = 0;
  while (fd_ >= 0 && sent < buffer.size()) {
    ssize_t n = ::send(fd_, buffer.data() + sent, buffer.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<size_t>(n);
      octets_taken_ += static_cast<size_t>(n);
      if (!tls_) octets_sent_ += static_cast<size_t>(n);
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      write_blocked_ = true;
      break;
    }
    int error = errno;
    buffer.clear();
    fail(error);
    return false;
  }
  buffer.consume(sent);
  return true;
}

}  // namespace duplex::http
