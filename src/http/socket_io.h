// SocketIo: a non-blocking socket's octets in and out, in the clear or through TLS, one read and one write a turn. The
// base of every connection.
#pragma once

#include <memory>

#include "duplex/base/bytes.h"
#include "duplex/runtime/loop.h"
#include "duplex/runtime/tls.h"

namespace duplex::http {

class SocketIo : public Watch, public EndOfTurn {
 public:
  SocketIo(const SocketIo&) = delete;

 protected:
  // `tls`: null, or a session whose handshake is done.
  SocketIo(Loop& loop, int fd, std::unique_ptr<TlsSession> tls) : loop_(loop), fd_(fd), tls_(std::move(tls)) {}
  ~SocketIo() { close_socket(); }

  // Begins to watch. False: the loop cannot (out of descriptors).
  bool start_io();
  // Asks for end_of_turn().
  void want_write() {
    if (fd_ >= 0 && !write_blocked_) loop_.at_end_of_turn(*this);
  }
  // Sends what `out_` holds; keeps what the system did not take and goes on when it can.
  void write_out();
  bool write_blocked() const { return write_blocked_; }
  // The system has taken all that was written.
  bool all_written() const { return out_.empty() && !write_blocked_; }
  // Stops reading until resume_reading(): the system's buffer fills and holds the peer back.
  void pause_reading() { reading_ = false; }
  void resume_reading();
  // No more leaves; what comes is still read (close_notify, and TCP's FIN).
  void shut_down_writing();
  void close_socket();
  bool secure() const { return tls_ != nullptr; }
  // Hands octets of the network to on_octets().
  void from_network(const char* data, size_t size);
  // Octets of ours that the system has taken so far; with TLS, that went into records.
  uint64_t octets_sent() const { return octets_sent_; }
  // Octets that the system has taken so far, TLS's own included.
  uint64_t octets_taken() const { return octets_taken_; }
  bool open() const { return fd_ >= 0; }

  // A batch of octets arrived. After it, one end of turn.
  virtual void on_octets(const char* data, size_t size) = 0;
  // The peer has closed its half (error 0) or the socket failed (errno). Once for each; nothing after a failure.
  virtual void on_eof(int error) = 0;
  // What was blocked has gone out.
  virtual void on_written() = 0;

  Loop& loop_;
  Buffer out_;

 private:
  void on_ready(bool readable, bool writable, bool hangup) final;
  void read_some(bool to_the_end);
  void fail(int error);
  bool send_from(Buffer& buffer);
  int fd_;
  std::unique_ptr<TlsSession> tls_;
  uint64_t octets_sent_ = 0, octets_taken_ = 0;
  bool write_blocked_ = false, reading_ = true, readable_ = false, eof_seen_ = false, hangup_ = false, failed_ = false;
};

}  // namespace duplex::http
