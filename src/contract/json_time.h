// google.protobuf.Timestamp and Duration as JSON writes them.
#pragma once

#include <cstdint>
#include <string_view>

namespace duplex::contract {

// "2026-03-01T09:30:00.25Z", or with an offset instead of the Z (RFC 3339). False: it is none, or lies outside the
// years 1 to 9999.
bool parse_time_point(std::string_view text, int64_t& seconds, int32_t& nanos);
// "1.5s". False: it is none, or longer than 10,000 years.
bool parse_time_span(std::string_view text, int64_t& seconds, int32_t& nanos);

inline constexpr size_t kMostTimeText = 40;

// Without quotes, with 0, 3, 6 or 9 digits after the point. Null: the value has no such form (out of range; a span's
// parts with different signs). Else the end of what was written.
char* write_time_point(char* to, int64_t seconds, int64_t nanos);
char* write_time_span(char* to, int64_t seconds, int64_t nanos);

}  // namespace duplex::contract
