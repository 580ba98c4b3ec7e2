// The words beside an HTTP status: on HTTP/1.1's status line, and as the title of a problem (RFC 9457).
#pragma once

#include <string_view>

namespace duplex {

// "Not Found" for 404 (RFC 9110, section 15); "Client Closed Request" for 499; empty for a status nobody has named.
std::string_view http_reason(int status);

}  // namespace duplex
