// The answer of a server that refuses a call for now: in each protocol's own words, so that callers know when to ask
// again.
#pragma once

#include <string>

#include "duplex/service/service.h"

namespace duplex::resilience {

// RESOURCE_EXHAUSTED (429 over HTTP) with a google.rpc.RetryInfo, and as trailers `retry-after` in whole seconds
// (RFC 9110 section 10.2.3) and `grpc-retry-pushback-ms` (gRFC A6; only gRPC's server half sends it). Not told: an
// `after` of zero.
Outcome try_later(std::string message, Duration after);

// Rounded up, so that who waits as long does not come too early.
int64_t whole_seconds(Duration span);

}  // namespace duplex::resilience
