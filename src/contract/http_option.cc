#include "contract/http_option.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "contract/wire.h"

namespace duplex::contract {

namespace {

constexpr uint32_t kHttpExtension = 72295728;  // google.api.http in google.protobuf.MethodOptions

const char* verb_of(uint32_t field) {
  switch (field) {
    case 2:
      return "GET";
    case 3:
      return "PUT";
    case 4:
      return "POST";
    case 5:
      return "DELETE";
    case 6:
      return "PATCH";
    default:
      return nullptr;
  }
}

Status read_rule(std::string_view bytes, bool nested, std::vector<HttpOption>& into) {
  const size_t mine = into.size();
  into.emplace_back();
  wire::Reader reader(bytes);
  for (wire::Field field; reader.next(field);) {
    if (field.type != wire::Type::kBytes) continue;
    if (const char* verb = verb_of(field.number)) {
      into[mine].verb = verb;
      into[mine].path = std::string(field.bytes);
    } else if (field.number == 7) {
      into[mine].body = std::string(field.bytes);
    } else if (field.number == 12) {
      into[mine].response_body = std::string(field.bytes);
    } else if (field.number == 8) {
      wire::Reader custom(field.bytes);
      for (wire::Field part; custom.next(part);) {
        if (part.number == 1) into[mine].verb = std::string(part.bytes);
        if (part.number == 2) into[mine].path = std::string(part.bytes);
      }
      if (!custom.ok()) return Status::invalid_argument("the option google.api.http is malformed");
    } else if (field.number == 11) {
      if (nested) return Status::invalid_argument("additional_bindings cannot stand within additional_bindings");
      if (Status s = read_rule(field.bytes, true, into); !s.is_ok()) return s;
    }
  }
  return reader.ok() ? Status::ok() : Status::invalid_argument("the option google.api.http is malformed");
}

}  // namespace

Result<std::vector<HttpOption>> http_options(const google::protobuf::MethodDescriptor& method) {
  std::vector<HttpOption> rules;
  // Serialized, the option looks the same whether this program has linked google/api/annotations.pb.cc or not.
  const std::string options = method.options().SerializeAsString();
  wire::Reader reader(options);
  for (wire::Field field; reader.next(field);) {
    if (field.number != kHttpExtension || field.type != wire::Type::kBytes) continue;
    if (Status s = read_rule(field.bytes, false, rules); !s.is_ok()) return s;
  }
  return rules;
}

}  // namespace duplex::contract
