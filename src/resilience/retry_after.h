// What an answer says about when to come back: the field Retry-After (RFC 9110 section 10.2.3), the detail RetryInfo of
// a Status (google/rpc/error_details.proto), and gRPC's pushback (gRFC A6, "Pushback").
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "duplex/base/metadata.h"
#include "duplex/base/status.h"
#include "duplex/base/time.h"

namespace duplex::resilience {

// The HTTP status of a plain answer's head; 0: there is none.
int http_status_of(const Metadata& head);

// A number of seconds, or one of HTTP's three forms of a date (RFC 9110 section 5.6.7), which is counted from `now` and
// is zero when it has passed. nullopt: neither.
std::optional<Duration> parse_retry_after(std::string_view value, std::chrono::system_clock::time_point now);

// The google.rpc.RetryInfo of a failure; nullopt: it has none that can be read.
std::optional<Duration> retry_info(const Status& status);

inline constexpr std::string_view kPushback = "grpc-retry-pushback-ms";

struct Pushback {
  bool there = false;
  std::optional<Duration> wait;  // exactly that long; nullopt: no other attempt at all
};
// Takes it out of the trailers: it is meant for this hop alone.
Pushback take_pushback(Metadata& trailers);

}  // namespace duplex::resilience
