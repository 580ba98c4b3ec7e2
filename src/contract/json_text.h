// JSON as text, where no message type is at hand: writing strings, and finding a member without reading the rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace duplex::contract {

// `text` in quotes, escaped as RFC 8259 wants; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

// The length of the UTF-8 sequence at `at` (1 to 4), 0 if there is none: overlong forms and surrogates are none.
size_t utf8_length(std::string_view text, size_t at);
bool is_utf8(std::string_view text);

// The value of a member of the JSON object `json`, as text; nullopt if it has none. `name` must need no escape.
std::optional<std::string_view> find_json_member(std::string_view json, std::string_view name);

// The items of the JSON array `json`, as text; empty if it is none.
std::vector<std::string_view> json_items(std::string_view json);

}  // namespace duplex::contract
