// Message bytes in which fields stand several times, as after parts of one message were put together.
#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
}

namespace duplex::contract {

// The same message with each single field once: the last value, messages merged, one member of a oneof. A parser would
// read the same from both; code that reads bytes as a stream (JSON) would not. `bytes` must be well formed.
std::string merged(const google::protobuf::Descriptor& type, std::string_view bytes);

}  // namespace duplex::contract
