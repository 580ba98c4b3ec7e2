// Whether bytes are a message of a type, as far as a parser would say.
#pragma once

#include <string_view>

#include "duplex/base/status.h"

namespace google::protobuf {
class Descriptor;
}

namespace duplex::contract {

// Error: INVALID_ARGUMENT that names the message type which is malformed. Unknown fields are fine; groups are not.
Status check_message(const google::protobuf::Descriptor& type, std::string_view bytes, int depth = 0);

}  // namespace duplex::contract
