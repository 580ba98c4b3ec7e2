// The server side of one HTTP/1.1 connection.
#pragma once

#include <string>
#include <string_view>

#include "duplex/http/connected.h"
#include "duplex/http/connection.h"

namespace duplex::http {

// Serves until the connection ends. `already_read` was read from it before. One exchange at a time, in order:
// requests that come early wait in the connection's buffer, and past its limit in the system's.
Task<void> serve_http1(Context& ctx, Connected socket, const ServerOptions& options, std::string_view already_read,
                       ServerConnection** started);

}  // namespace duplex::http
