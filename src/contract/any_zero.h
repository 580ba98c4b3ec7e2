// Any of a zero: protobuf's JSON writer leaves out the "value" of {"@type": ".../google.protobuf.BoolValue", "value":
// false}, since the bytes of a zero are none, and then no other reader takes it.
#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
}

namespace duplex::contract {

class Contract;

// The same message, in which a zero of a type with a JSON form of its own is spelled out wherever an Any holds it (but
// for an empty ListValue, whose bytes cannot say it). What is malformed stays as it is.
std::string with_spelled_zeros(const Contract& contract, const google::protobuf::Descriptor& type,
                               std::string_view bytes, int depth = 0);

}  // namespace duplex::contract
