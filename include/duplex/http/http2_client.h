// Http2Client: one client connection that speaks HTTP/2 by prior knowledge. http::Pool makes and keeps them.
#pragma once

#include <memory>
#include <string>

#include "duplex/http/exchange.h"

namespace duplex::http {

class Http2Session;

class Http2Client {
 public:
  // Owns the connected socket `fd`. `peer` is its address, for errors. `changed` is notified when there may be room
  // again or the connection is over; it outlives this.
  Http2Client(Loop& loop, int fd, std::string peer, const Limits& limits, Notifier& changed);
  ~Http2Client();

  // Can it take one more exchange now? False for ever once usable() is false.
  bool has_room() const;
  bool usable() const;  // neither draining nor over
  size_t exchanges() const;
  // Queues a request; null where has_room() is false. The exchange lives until release().
  Exchange* open(const Head& head, bool end);
  // Done with it: what is not over is reset with CANCEL.
  void release(Exchange& exchange);
  // The connection is over.
  Notifier& ended();
  bool over() const;
  const Status& why_over() const;
  // GOAWAY, and the socket closes when what is under way has ended.
  void end();
  void close_now(const Status& why);

 private:
  std::unique_ptr<Http2Session> session_;
};

}  // namespace duplex::http
