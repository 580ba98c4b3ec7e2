// A connected socket, in either role, as a connection takes it over.
#pragma once

#include <memory>
#include <string>

#include "duplex/runtime/tls.h"

namespace duplex::http {

struct Connected {
  int fd = -1;                      // non-blocking; the connection's from now on
  std::string peer;                 // "10.0.0.7:51324"
  std::unique_ptr<TlsSession> tls;  // null: in the clear. Its handshake is done
  Bytes early;                      // what came with the handshake's last octets

  // Travels by value through coroutines, where an aggregate must not (see CONTRIBUTING.md).
  Connected(int socket, std::string from, std::unique_ptr<TlsSession> session = nullptr)
      : fd(socket), peer(std::move(from)), tls(std::move(session)) {}
};

}  // namespace duplex::http
