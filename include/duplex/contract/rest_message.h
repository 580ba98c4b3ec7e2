// A method's messages as parts of a plain HTTP exchange, as its google.api.http rule says.
//
// Source: google/api/http.proto, "Rules for HTTP mapping".
#pragma once

#include <string>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"
#include "duplex/contract/contract.h"
#include "duplex/contract/json.h"
#include "duplex/contract/router.h"

namespace duplex::contract {

// The request's protobuf bytes, out of the path's variables, the query ("" or what follows "?", still encoded) and the
// body (JSON; empty counts as absent). A path variable wins over the body.
// Error: INVALID_ARGUMENT that names the path variable, query parameter or body field.
Result<Bytes> assemble_request(const HttpRule& rule, const Captures& captures, std::string_view query,
                               std::string_view body);

// The JSON of a response: the whole, or the one field that `response_body` names.
// Error: INTERNAL: it has no JSON form, as a Timestamp after the year 9999.
Result<Bytes> render_response(const HttpRule& rule, std::string_view wire, const JsonOptions& options = {});

// The other way round, for a client of a REST service.
struct RestRequest {
  std::string target;  // path and query
  Bytes body;          // JSON; empty if the rule has none, or the one field that would be it is absent
};
// Error: INVALID_ARGUMENT if a path variable is empty or does not fit the template, or the bytes are malformed.
Result<RestRequest> split_request(const HttpRule& rule, std::string_view wire, const JsonOptions& options = {});

// The response's protobuf bytes out of the JSON of a body. What its type does not know is skipped.
Result<Bytes> assemble_response(const HttpRule& rule, std::string_view body);

}  // namespace duplex::contract
