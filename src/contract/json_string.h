// Strings as JSON writes them (RFC 8259 section 7): out of their escapes and into them, many octets at a time.
#pragma once

#include <cstddef>
#include <string_view>

namespace duplex::contract {

// How many octets past the end of a string, and past the end of where it goes, may be touched.
inline constexpr size_t kJsonStringSlack = 16;

// The text of the JSON string that begins at `from`, after its quote; it is known to end, to be UTF-8 and to have no
// raw control character (simdjson has looked). `to` has room for all up to the closing quote and the slack. Returns the
// end of what it wrote; null: an escape is none, or half of a surrogate pair.
char* unescape_json(const char* from, char* to);

// The same without a copy, where nothing is escaped. False: something is.
bool plain_json(const char* from, std::string_view& text);

// At most so many octets are written for one.
inline constexpr size_t kJsonEscapeGrowth = 6;

// Writes `text` without its quotes. `to` has room for kJsonEscapeGrowth times its size and the slack. `ascii` becomes
// false if an octet is not: then it is the caller's to see that they are UTF-8.
char* escape_json(std::string_view text, char* to, bool& ascii);

// Whether the octets are UTF-8 as Unicode has it: no surrogate, no overlong form.
bool is_utf8_text(std::string_view text);

}  // namespace duplex::contract
