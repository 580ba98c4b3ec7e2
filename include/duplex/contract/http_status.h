// gRPC codes and HTTP status codes.
#pragma once

#include "duplex/base/status.h"

namespace duplex::contract {

// What an HTTP answer with this code has: 404 for NOT_FOUND. Source: google/rpc/code.proto, "HTTP Mapping".
int http_status(Code code);

// What a gRPC client makes of an HTTP answer that has no grpc-status: 404 is UNIMPLEMENTED, everything unlisted (200
// too) UNKNOWN. Not the reverse of http_status(). Source: grpc/doc/http-grpc-status-mapping.md.
Code code_without_grpc_status(int http_status);

// The closest code for an HTTP answer of a plain HTTP or REST service: 404 is NOT_FOUND, 409 ABORTED, 2xx OK.
Code code_from_http(int http_status);

}  // namespace duplex::contract
