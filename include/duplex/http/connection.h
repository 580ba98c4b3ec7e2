// ServerConnection: one accepted socket that speaks HTTP/1.1 or HTTP/2. In the clear they are told apart by their first
// octets (RFC 9113 section 3.3), over TLS by what ALPN chose.
#pragma once

#include <memory>
#include <string>

#include "duplex/http/exchange.h"
#include "duplex/runtime/tls.h"

namespace duplex::http {

class ServerConnection {
 public:
  virtual ~ServerConnection() = default;
  // Stops taking new exchanges: HTTP/2 sends GOAWAY in two phases, HTTP/1.1 answers the last with `connection: close`.
  virtual void drain() = 0;
  // Cancels what runs with that reason; the connection ends when its exchanges have.
  virtual void cancel(const Status& why) = 0;
};

struct ServerOptions {
  Limits limits;
  std::shared_ptr<TlsServer> tls;  // null: in the clear
  Handler* handler = nullptr;      // outlives the connection
};

// Serves the accepted, non-blocking socket `fd` until it ends; owns fd. `ctx` is the parent of all its exchanges'
// Contexts. `started` (may be null) is set to the connection while it lives.
Task<void> serve_connection(Context& ctx, int fd, std::string peer, const ServerOptions& options,
                            ServerConnection** started);

}  // namespace duplex::http
