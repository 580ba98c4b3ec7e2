// Http1Client: one client connection of HTTP/1.1: one exchange at a time, kept for the next where that is safe.
#pragma once

#include <memory>
#include <string>

#include "duplex/http/exchange.h"

namespace duplex::http {

class Http1Session;

class Http1Client {
 public:
  // Owns the connected, non-blocking socket `fd`. `peer` is its address, for errors. `changed` is notified when the
  // connection is free again or over; it outlives this.
  Http1Client(Loop& loop, int fd, std::string peer, const Limits& limits, Notifier& changed);
  ~Http1Client();

  // Can it take an exchange now? False for ever once usable() is false.
  bool has_room() const;
  bool usable() const;
  size_t exchanges() const;  // 0 or 1
  // Queues a request; null where has_room() is false. The exchange lives until release(). A head that HTTP/1.1 cannot
  // carry (a line break in a value) gives an exchange that is broken already: INVALID_ARGUMENT, and unsent().
  Exchange* open(const Head& head, bool end);
  // Done with it. The connection goes on if both messages went whole and the answer allows it; else it closes.
  void release(Exchange& exchange);
  Notifier& ended();
  bool over() const;
  const Status& why_over() const;
  // No more exchanges; the socket closes when the one under way has ended.
  void end();
  void close_now(const Status& why);

 private:
  std::unique_ptr<Http1Session> session_;
};

}  // namespace duplex::http
