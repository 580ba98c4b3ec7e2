// The server half of gRPC: an HTTP exchange becomes a Call, and its Outcome the trailers.
// Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md), gRPC status codes, gRFC A6 for what commits an answer.
#pragma once

#include <cstddef>
#include <string_view>

#include "duplex/http/exchange.h"
#include "duplex/service/service.h"

namespace duplex::grpc {

struct ServerSettings {
  size_t max_message = 4 << 20;  // octets of one request message; past it RESOURCE_EXHAUSTED
};

// Is it gRPC that this content-type announces ("application/grpc", "+proto", ...)?
bool is_grpc(std::string_view content_type);

// Serves one exchange of a known method through `service`, to the last word.
Task<void> serve(Context& ctx, http::Exchange& x, const Method& method, Service& service, ServerSettings settings);
// Answers an exchange whose path is no method of ours.
void answer_unknown(http::Exchange& x);

}  // namespace duplex::grpc
