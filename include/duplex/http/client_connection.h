// ClientConnection: one connection to a server, of either version of HTTP, as the pool sees it.
#pragma once

#include "duplex/http/exchange.h"

namespace duplex::http {

class ClientConnection {
 public:
  virtual ~ClientConnection() = default;

  // Can it take one more exchange now? False for ever once usable() is false.
  virtual bool has_room() const = 0;
  virtual bool usable() const = 0;  // neither draining nor over
  virtual size_t exchanges() const = 0;
  // When its last exchange ended; the beginning of time where that makes no difference.
  virtual Time free_since() const { return Time(); }
  // Queues a request; null where there is no room, or none any more. The exchange lives until release().
  virtual Exchange* open(const Head& head, bool end) = 0;
  // Done with it: what is not over is broken off.
  virtual void release(Exchange& exchange) = 0;
  // The connection is over.
  virtual Notifier& ended() = 0;
  virtual bool over() const = 0;
  virtual const Status& why_over() const = 0;
  // No more exchanges; the socket closes when what is under way has ended.
  virtual void end() = 0;
  virtual void close_now(const Status& why) = 0;
};

}  // namespace duplex::http
