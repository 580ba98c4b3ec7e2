// Http2Client: one client connection that speaks HTTP/2 by prior knowledge. http::Pool makes and keeps them.
#pragma once

#include <memory>
#include <string>

#include "duplex/http/client_connection.h"
#include "duplex/http/connected.h"

namespace duplex::http {

class Http2Session;

class Http2Client final : public ClientConnection {
 public:
  // `changed` is notified when there may be room
  // again or the connection is over; it outlives this.
  Http2Client(Loop& loop, Connected socket, const Limits& limits, Notifier& changed);
  ~Http2Client() override;

  bool has_room() const override;
  bool usable() const override;
  size_t exchanges() const override;
  Exchange* open(const Head& head, bool end) override;
  // What is not over is reset with CANCEL.
  void release(Exchange& exchange) override;
  Notifier& ended() override;
  bool over() const override;
  const Status& why_over() const override;
  // GOAWAY first.
  void end() override;
  void close_now(const Status& why) override;

 private:
  std::unique_ptr<Http2Session> session_;
};

}  // namespace duplex::http
