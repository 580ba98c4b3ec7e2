// The option google.api.http of a method, read from its bytes, so that no generated google/api class is needed.
#pragma once

#include <string>
#include <vector>

#include "duplex/base/status.h"

namespace google::protobuf {
class MethodDescriptor;
}

namespace duplex::contract {

// A google.api.HttpRule as it was written; nothing is checked but that its bytes are whole.
struct HttpOption {
  std::string verb;  // empty: the rule names none
  std::string path;
  std::string body;
  std::string response_body;
};

// The rule and its additional_bindings; empty if the method has no such option.
Result<std::vector<HttpOption>> http_options(const google::protobuf::MethodDescriptor& method);

}  // namespace duplex::contract
