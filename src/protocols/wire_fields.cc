#include "protocols/wire_fields.h"

namespace duplex::grpc {
namespace {
enum WireType : uint32_t { kVarint = 0, kEight = 1, kLength = 2, kFour = 5 };
}

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_number(std::string& out, uint32_t field, uint64_t value) {
  put_varint(out, field << 3 | kVarint);
  put_varint(out, value);
}

void put_octets(std::string& out, uint32_t field, std::string_view octets) {
  put_varint(out, field << 3 | kLength);
  put_varint(out, octets.size());
  out.append(octets);
}

bool WireFields::varint(uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70 && !rest_.empty(); shift += 7) {
    const auto octet = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    if (shift < 64) value |= uint64_t{octet & 0x7fu} << shift;
    if (octet < 0x80) return true;
  }
  return false;
}

std::optional<WireFields::Field> WireFields::next() {
  if (rest_.empty() || broken_) return std::nullopt;
  uint64_t tag = 0;
  Field field{};
  uint64_t size = 0;
  broken_ = !varint(tag) || tag >> 3 == 0 || tag >> 32 != 0;
  if (broken_) return std::nullopt;
  field.number = static_cast<uint32_t>(tag >> 3);
  switch (tag & 7) {
    case kVarint:
      broken_ = !varint(field.value);
      return broken_ ? std::nullopt : std::optional(field);
    case kEight:
      size = 8;
      break;
    case kFour:
      size = 4;
      break;
    case kLength:
      broken_ = !varint(size);
      break;
    default:
      broken_ = true;
  }
  broken_ = broken_ || size > rest_.size();
  if (broken_) return std::nullopt;
  field.octets = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return field;
}

}  // namespace duplex::grpc
