// Whether bytes are a message of a type, as far as a parser would say.
#pragma once

#include <string_view>

#include "duplex/base/status.h"

namespace google::protobuf {
class Descriptor;
}

namespace duplex::contract {

// Error: INVALID_ARGUMENT that names the message type which is malformed. Unknown fields are fine; groups are not.
// `has_any` becomes true if there is a google.protobuf.Any in it.
Status check_message(const google::protobuf::Descriptor& type, std::string_view bytes, bool& has_any, int depth = 0);

}  // namespace duplex::contract
