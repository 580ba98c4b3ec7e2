// What HTTP/1.1 is written with, and what may stand in it: both roles use it.
#pragma once

#include <chrono>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/metadata.h"

namespace duplex::http {

// RFC 9110 section 5.6.2: what methods and field names are made of.
bool is_token(std::string_view text);
// The lower case of a token's octet; 0 for an octet that may not stand in one.
char token_lower(char c);
std::string_view trim_blanks(std::string_view text);
bool equals_ignoring_case(std::string_view text, std::string_view lower);

// f(element) for each non-empty element of a comma-separated list.
template <class F>
void for_each_element(std::string_view list, F f) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    std::string_view element = trim_blanks(list.substr(0, comma));
    if (!element.empty()) f(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// Fields that say how a message is framed or routed, or who asks: never taken from trailers (RFC 9110 section 6.5.1).
bool may_be_trailer(std::string_view name);
// Fields of one connection, which the connection writes itself (RFC 9110 section 7.6.1).
bool is_connection_field(std::string_view name);

void append_decimal(Buffer& to, uint64_t number);
void append_hex(Buffer& to, uint64_t number);
void append_field(Buffer& to, std::string_view name, std::string_view value);

// A length of digits alone, without overflow; false for anything else.
bool parse_length(std::string_view text, uint64_t& length);

// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second on each thread.
std::string_view http_date(std::chrono::system_clock::time_point now);

}  // namespace duplex::http
