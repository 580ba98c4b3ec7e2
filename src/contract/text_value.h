// One field's value between the text that stands in a URL and protobuf bytes.
#pragma once

#include <string>
#include <string_view>

#include "duplex/base/status.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

// Appends tag and value of `field`, which is_textual(), to `out`. Error: INVALID_ARGUMENT that says what was wanted.
Status append_text_value(std::string& out, const Contract& contract, const google::protobuf::FieldDescriptor& field,
                         std::string_view text);

// The same for the field at the end of a path: each message on the way is wrapped around it. Appended to a message,
// these bytes set that field and leave its neighbours alone, since protobuf merges what stands twice.
Status append_text_value(std::string& out, const Contract& contract, const FieldPath& path, std::string_view text);

}  // namespace duplex::contract
