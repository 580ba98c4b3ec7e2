// What customers and products have in common: a name that a person can read.
#pragma once

#include <string>
#include <string_view>

#include "duplex/base/status.h"

namespace shop {

// INVALID_ARGUMENT: empty, or longer than 200 octets.
inline duplex::Status check_name(std::string_view name) {
  if (name.find_first_not_of(" \t\r\n") == name.npos) return duplex::Status::invalid_argument("name: empty");
  if (name.size() > 200)
    return duplex::Status::invalid_argument("name: " + std::to_string(name.size()) +
                                            " octets; at most 200 are allowed");
  return {};
}

}  // namespace shop
