// A Status as problem details (RFC 9457, application/problem+json), and back.
//
//   {"type":"about:blank","title":"Not Found","status":404,"detail":"no order 7","code":"NOT_FOUND","details":[...]}
//
// `code` and `details` are extension members. Each of `details` is a google.protobuf.Any as JSON; one whose type the
// contract does not know is {"@type": url, "value": base64}. So the way there and back loses nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/status.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

inline constexpr std::string_view kProblemType = "application/problem+json";

// `contract`: whose types the details are looked up in; null: none are known.
// `http` 0: the status of the code.
std::string problem_json(const Status& status, const Contract* contract = nullptr, int http = 0);

// What an HTTP answer that is not 2xx says: the `code` of a problem if it is one, else the code closest to
// `http_status`; `detail`, else `title`, else the reason phrase as message. A google.rpc.Status as JSON, which other
// transcoders of gRPC answer with, is read too. Never OK, never fails: a body that is neither is left alone. A detail
// that cannot be read is dropped.
Status status_from_problem(int http_status, std::string_view body, const Contract* contract = nullptr);

// What the last line of a stream of JSON lines says if the call failed after the first message: {"error": problem}.
// nullopt: the line is a message (one that has a field `error` too is told apart by what a problem holds).
std::optional<Status> status_from_error_line(std::string_view line, const Contract* contract = nullptr);

}  // namespace duplex::contract
