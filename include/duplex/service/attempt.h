// How an attempt says that it is not a call's first.
#pragma once

#include <string_view>

namespace duplex {

// Metadata of every attempt but the first: how many were made before it (gRFC A6, "Exposed Retry Metadata"). Written by
// the filters that make attempts; the client halves of gRPC and REST send it, though names in "grpc-" are not a user's
// to set.
inline constexpr std::string_view kPreviousAttempts = "grpc-previous-rpc-attempts";

}  // namespace duplex
