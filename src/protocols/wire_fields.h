// Protobuf's wire format (https://protobuf.dev/programming-guides/encoding), for the few messages that the library
// itself sends and reads without a class: its varints, and fields that have a length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace duplex::grpc {

void put_varint(std::string& out, uint64_t value);
void put_number(std::string& out, uint32_t field, uint64_t value);
void put_octets(std::string& out, uint32_t field, std::string_view octets);

// Walks over a message's fields.
class WireFields {
 public:
  explicit WireFields(std::string_view message) : rest_(message) {}
  struct Field {
    uint32_t number;
    uint64_t value;           // of a varint
    std::string_view octets;  // of a field with a length
  };
  // nullopt: the end, or, if broken(), no message.
  std::optional<Field> next();
  bool broken() const { return broken_; }

 private:
  bool varint(uint64_t& value);
  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace duplex::grpc
