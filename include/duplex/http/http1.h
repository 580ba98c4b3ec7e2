// Http1Client: one client connection of HTTP/1.1: one exchange at a time, kept for the next where that is safe.
#pragma once

#include <memory>
#include <string>

#include "duplex/http/client_connection.h"
#include "duplex/http/connected.h"

namespace duplex::http {

class Http1Session;

class Http1Client final : public ClientConnection {
 public:
  // `changed` is notified when the
  // connection is free again or over; it outlives this.
  Http1Client(Loop& loop, Connected socket, const Limits& limits, Notifier& changed);
  ~Http1Client() override;

  bool has_room() const override;
  bool usable() const override;
  size_t exchanges() const override;  // 0 or 1
  Time free_since() const override;
  // Null too if the server has closed a kept connection by now: then nothing is lost, and the caller takes another one
  // (RFC 9112 section 9.5). A head that HTTP/1.1 cannot carry (a line break in a value) gives an exchange that is
  // broken already: INVALID_ARGUMENT, and unsent().
  Exchange* open(const Head& head, bool end) override;
  // The connection goes on if both messages went whole and the answer allows it; else it closes.
  void release(Exchange& exchange) override;
  Notifier& ended() override;
  bool over() const override;
  const Status& why_over() const override;
  void end() override;
  void close_now(const Status& why) override;

 private:
  std::unique_ptr<Http1Session> session_;
};

}  // namespace duplex::http
