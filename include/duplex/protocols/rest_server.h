// The server half of REST: a method's google.api.http rule makes its Call out of path, query and JSON body, and its
// Outcome becomes the HTTP status, with RFC 9457 problem details for errors.
//
// The field `grpc-timeout` says how long the caller waits, in gRPC's form: 1 to 8 digits and one of H, M, S, m, u, n
// ("250m": 250 ms). Other transcoders of gRPC read the same; 400 if it is malformed.
//
// A stream of replies leaves as Server-Sent Events or as NDJSON, as `Accept` says (text/event-stream; else NDJSON).
// A failure after the first message ends SSE with `event: error` and NDJSON with a last {"error": {...}} line.
#pragma once

#include <cstddef>

#include "duplex/contract/contract.h"
#include "duplex/contract/http_rule.h"
#include "duplex/contract/router.h"
#include "duplex/http/exchange.h"
#include "duplex/service/service.h"

namespace duplex::rest {

struct ServerSettings {
  size_t max_message = 4 << 20;     // octets of one request body; past it 413
  Duration timeout{};               // of a unary call that brings none; zero: none
  const Filter* observe = nullptr;  // what sees calls that are refused before `service` is asked: metrics, access log
};

// Serves one exchange that `rule` matched, through `service`, to the last word. `captures` borrow from the target.
Task<void> serve(Context& ctx, http::Exchange& x, const contract::HttpRule& rule, contract::Captures captures,
                 const Method& method, Service& service, ServerSettings settings);

// Answers with a problem. `http_status` 0: the one of the code. `fields`: more of the head, such as Allow.
void answer_problem(http::Exchange& x, const Status& status, int http_status = 0, const Metadata& fields = {},
                    const contract::Contract* contract = nullptr);

}  // namespace duplex::rest
