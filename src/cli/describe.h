// duplex list and duplex describe: what a service serves.
#pragma once

#include <string>

#include "cli/reach.h"

namespace duplex::cli {

// A line a method, under its service: "rpc Watch(WatchOrder) returns (stream Event)   GET /v1/orders/{id}:watch".
Result<std::string> list_methods(const Target& target);
// A service, method, message or enum, as a .proto would have it. `name`: in full, or a method as find_method() knows
// it.
Result<std::string> describe(const Target& target, const std::string& name);

}  // namespace duplex::cli
