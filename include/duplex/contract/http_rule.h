// One way to call a method over plain HTTP: a google.api.http rule whose names have been looked up.
//
// Source: google/api/http.proto.
#pragma once

#include <string>
#include <vector>

#include "duplex/contract/path_template.h"

namespace google::protobuf {
class FieldDescriptor;
}

namespace duplex::contract {

class Method;

// The fields from a message down to a value: `order.customer.id` is three.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

struct HttpRule {
  std::string verb;  // "GET"; "*" takes every verb
  PathTemplate path;
  std::string body;           // "": none; "*": the whole request; else the name of one of its fields
  std::string response_body;  // "": the whole response; else the name of one of its fields
  const Method* method = nullptr;

  std::vector<FieldPath> variables;  // of path.variables(), in their order
  const google::protobuf::FieldDescriptor* body_field = nullptr;
  const google::protobuf::FieldDescriptor* response_field = nullptr;

  bool has_body() const { return !body.empty(); }
  bool whole_body() const { return body == "*"; }
};

}  // namespace duplex::contract
