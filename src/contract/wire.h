// The protobuf wire format by hand (https://protobuf.dev/programming-guides/encoding): enough to read options and
// google.rpc.Status, and to write a request field by field, without a generated class.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace duplex::contract::wire {

enum class Type : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kStartGroup = 3, kEndGroup = 4, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Type type = Type::kVarint;
  uint64_t value = 0;      // of kVarint, kFixed64 and kFixed32
  std::string_view bytes;  // of kBytes
  std::string_view whole;  // tag and value as they stand on the wire
};

// Walks over the fields of one message. After next() has returned false, ok() says whether the end was reached or the
// bytes are malformed. Groups are malformed for us: nothing we read has them.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool next(Field& field) {
    if (at_ == end_) return false;
    const char* start = at_;
    uint64_t tag = 0;
    if (!varint(tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return fail();
    field.number = static_cast<uint32_t>(tag >> 3);
    field.type = static_cast<Type>(tag & 7);
    switch (field.type) {
      case Type::kVarint:
        if (!varint(field.value)) return fail();
        break;
      case Type::kFixed64:
        if (!fixed(field.value, 8)) return fail();
        break;
      case Type::kFixed32:
        if (!fixed(field.value, 4)) return fail();
        break;
      case Type::kBytes: {
        uint64_t size = 0;
        if (!varint(size) || size > static_cast<uint64_t>(end_ - at_)) return fail();
        field.bytes = {at_, static_cast<size_t>(size)};
        at_ += size;
        break;
      }
      default:
        return fail();
    }
    field.whole = {start, static_cast<size_t>(at_ - start)};
    return true;
  }
  // The next of packed values, which have no tags.
  bool next_packed(Field& field, Type type) {
    if (at_ == end_) return false;
    field.type = type;
    const bool read = type == Type::kVarint ? varint(field.value) : fixed(field.value, type == Type::kFixed64 ? 8 : 4);
    return read || fail();
  }
  bool ok() const { return ok_; }

 private:
  bool fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }
  bool varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 70 && at_ != end_; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at_++);
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool fixed(uint64_t& value, int size) {
    if (end_ - at_ < size) return false;
    value = 0;
    for (int i = 0; i < size; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(*at_++)) << (8 * i);
    return true;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

inline void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
inline void put_tag(std::string& out, uint32_t number, Type type) {
  put_varint(out, static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type));
}
inline void put_number(std::string& out, uint32_t number, uint64_t value) {
  put_tag(out, number, Type::kVarint);
  put_varint(out, value);
}
inline void put_bytes(std::string& out, uint32_t number, std::string_view bytes) {
  put_tag(out, number, Type::kBytes);
  put_varint(out, bytes.size());
  out.append(bytes);
}
inline void put_fixed32(std::string& out, uint32_t number, uint32_t value) {
  put_tag(out, number, Type::kFixed32);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
inline void put_fixed64(std::string& out, uint32_t number, uint64_t value) {
  put_tag(out, number, Type::kFixed64);
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
inline uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

}  // namespace duplex::contract::wire
