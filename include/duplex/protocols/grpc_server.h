// The server half of gRPC: an HTTP exchange becomes a Call, and its Outcome the trailers.
// gRPC-Web is served too, binary and text, over either version of HTTP. Messages may come by gzip; who sends such and
// says that it takes them gets them back.
// Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md), gRPC-Web (PROTOCOL-WEB.md), gRPC status codes, gRFC A6 for what commits
// an answer.
#pragma once

#include <cstddef>
#include <string_view>

#include "duplex/http/exchange.h"
#include "duplex/service/service.h"

namespace duplex::grpc {

struct ServerSettings {
  size_t max_message = 4 << 20;     // octets of one request message; past it RESOURCE_EXHAUSTED
  const Filter* observe = nullptr;  // what sees calls that are refused before `service` is asked: metrics, access log
};

// Is it gRPC or gRPC-Web that this content-type announces ("application/grpc", "+proto", ...)? In any case of letters.
// serve() answers 415 and UNIMPLEMENTED to messages that are not protobuf's.
bool is_grpc(std::string_view content_type);

// Serves one exchange of a known method through `service`, to the last word. `content_type` is that of its head.
Task<void> serve(Context& ctx, http::Exchange& x, std::string_view content_type, const Method& method, Service& service,
                 ServerSettings settings);
// Answers an exchange whose path is no method of ours.
void answer_unknown(http::Exchange& x, std::string_view content_type);

}  // namespace duplex::grpc
