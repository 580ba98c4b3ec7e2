// One field of a message as JSON of its own: what `body` and `response_body` of an HTTP rule name.
#pragma once

#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"
#include "duplex/contract/contract.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

// Bytes of a message of `type` in which `field` holds the value that `json` is.
Result<Bytes> field_from_json(const Type& type, const google::protobuf::FieldDescriptor& field, std::string_view json,
                              const JsonReading& reading = {});

// The value of `field` in the message `wire`. A field that is absent is what the options make of it: zero or null.
Result<Bytes> field_to_json(const Type& type, const google::protobuf::FieldDescriptor& field, std::string_view wire,
                            const JsonOptions& options);

}  // namespace duplex::contract
