// The server side of one HTTP/2 connection.
#pragma once

#include <string>

#include "duplex/http/connected.h"
#include "duplex/http/connection.h"

namespace duplex::http {

// Serves until the connection ends. `already` was read from it before.
Task<void> serve_http2(Context& ctx, Connected socket, const ServerOptions& options, std::string_view already,
                       ServerConnection** started);

}  // namespace duplex::http
