// Query parameters of a URL: `item.size=3&tag=a&tag=b`, each a field of the request.
#pragma once

#include <string>
#include <string_view>

#include "duplex/base/status.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

// Appends the fields that `query` names to the request `out`. Error: INVALID_ARGUMENT that names the parameter: no such
// field, one that the path or the body holds already, a value that does not fit, or a single field given twice.
Status append_query(std::string& out, const HttpRule& rule, std::string_view query);

// The query for all fields of the request `wire` that neither path nor body hold, without "?". Error: INVALID_ARGUMENT:
// a field that no query can hold (a map, a repeated message), or malformed bytes.
Status write_query(std::string& out, const HttpRule& rule, std::string_view wire);

}  // namespace duplex::contract
