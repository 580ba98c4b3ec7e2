// Fields of a message by the names a person writes.
#pragma once

#include <string_view>

#include "duplex/base/status.h"
#include "duplex/contract/http_rule.h"

namespace google::protobuf {
class Descriptor;
}

namespace duplex::contract {

// By its name in the .proto or its JSON name; null: there is none.
const google::protobuf::FieldDescriptor* find_field(const google::protobuf::Descriptor& message, std::string_view name);

// `text` is "a.b.c". All but the last must be single messages. Error: INVALID_ARGUMENT that names the part that is
// wrong.
Result<FieldPath> find_field_path(const google::protobuf::Descriptor& message, std::string_view text);

// The field can be written as one text: a number, bool, string, bytes, an enum, or a well-known type that is a string
// or a number in JSON (Timestamp, Duration, FieldMask, the wrappers).
bool is_textual(const google::protobuf::FieldDescriptor& field);

}  // namespace duplex::contract
