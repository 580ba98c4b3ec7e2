// The inside of a JSON string (RFC 8259 section 7), from any bytes: what is not UTF-8 becomes U+FFFD, and no control
// character stands raw, so that a line of JSON stays one line whatever a peer sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace duplex {

// An octet becomes at most this many.
inline constexpr size_t kJsonTextGrowth = 6;

// Writes `text`, escaped and without the quotes, at `to`, which has room for kJsonTextGrowth times its size. Returns
// the end of what it wrote.
char* write_json_text(char* to, std::string_view text);

// The same as a string, with the quotes.
std::string json_quoted(std::string_view text);

}  // namespace duplex
