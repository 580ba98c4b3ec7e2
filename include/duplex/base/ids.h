// Ids: traces, spans, and the UUIDs of events. Unique, but not secret: they come from a fast generator of the thread
// (xoshiro256**, seeded by the kernel), from whose output the next one can be told. Tokens and keys come from OpenSSL.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace duplex {

// 64 random bits; about a nanosecond.
uint64_t fast_random();

// Writes 16 lower-case hex digits.
char* write_hex(char* to, uint64_t value);
// Exactly 16 lower-case hex digits; nullopt for anything else.
std::optional<uint64_t> parse_hex(std::string_view digits);

// The id of a trace (W3C Trace Context, 32 hex digits). All zero is no id.
struct TraceId {
  uint64_t high = 0, low = 0;

  static TraceId random();
  bool valid() const { return (high | low) != 0; }
  char* write(char* to) const { return write_hex(write_hex(to, high), low); }  // 32 characters
  std::string to_string() const;
  friend bool operator==(const TraceId&, const TraceId&) = default;
};

// The id of a span in a trace (16 hex digits). Zero is no id.
struct SpanId {
  uint64_t value = 0;

  static SpanId random();
  bool valid() const { return value != 0; }
  char* write(char* to) const { return write_hex(to, value); }  // 16 characters
  std::string to_string() const;
  friend bool operator==(const SpanId&, const SpanId&) = default;
};

// "f47ac10b-58cc-4372-a567-0e02b2c3d479": a random UUID (RFC 9562 section 5.4).
std::string uuid_v4();
// A UUID that sorts by its time, to a quarter of a microsecond (RFC 9562 sections 5.7 and 6.2, method 3).
std::string uuid_v7(std::chrono::system_clock::time_point when = std::chrono::system_clock::now());

}  // namespace duplex
