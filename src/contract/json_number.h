// Numbers as JSON writes them (RFC 8259 section 6), exact: an integer is never taken through a double, and a double
// comes back as the same bits.
#pragma once

#include <cstdint>
#include <string_view>

namespace duplex::contract {

// Whether `text` is a number and nothing else.
bool is_json_number(std::string_view text);

// A whole number, however it is written: 100, 1e2 and 100.0 are one. False: it is no number, has a fraction, or lies
// outside the bounds.
bool parse_whole(std::string_view text, int64_t least, int64_t most, int64_t& value);
bool parse_whole(std::string_view text, uint64_t most, uint64_t& value);

// The nearest double (or float). False: it is no number, or lies outside what the type can hold. What is too small is
// zero.
bool parse_real(std::string_view text, double& value);
bool parse_real(std::string_view text, float& value);

// The most that write_real() and write_whole() write.
inline constexpr size_t kMostNumberText = 32;

// The shortest text that reads back as the same number, without an exponent between 1e-6 and 1e21 (as ECMAScript
// does). The number must be finite. Returns the end of what was written.
char* write_real(char* to, double value);
char* write_real(char* to, float value);

char* write_whole(char* to, int64_t value);
char* write_whole(char* to, uint64_t value);

}  // namespace duplex::contract
