// The fields of one message as they lie on the wire, in the order in which JSON wants them: by number, of a oneof only
// the last member. The wire may have them in any order and several times.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "contract/json_tables.h"

namespace duplex::contract {

struct WirePart {
  static constexpr uint32_t kOneValue = UINT32_MAX;

  uint32_t field = 0;  // index in MessageTable::fields
  uint32_t size = 0;   // of `data`, or kOneValue: a number, which is in `bits`
  union {
    const char* data;
    uint64_t bits;
  };
  bool is_number() const { return size == kOneValue; }
  std::string_view bytes() const { return {data, size}; }
};

// A stack: the parts of a message within a message are added and taken away in between.
class WireParts {
 public:
  size_t open() const { return parts_.size(); }
  // Adds the parts of `bytes`: those that the type knows, with the wire type that it has. False: the bytes are no
  // message.
  bool read(const MessageTable& type, std::string_view bytes);
  void close(size_t opened) { parts_.resize(opened); }

  size_t size() const { return parts_.size(); }
  const WirePart& operator[](size_t i) const { return parts_[i]; }
  size_t capacity() const { return parts_.capacity(); }
  // Past the last part from `first` on that is of the same field.
  size_t end_of_field(size_t first) const {
    size_t end = first + 1;
    while (end < parts_.size() && parts_[end].field == parts_[first].field) ++end;
    return end;
  }

 private:
  void put_in_order(const MessageTable& type, size_t opened);

  std::vector<WirePart> parts_;
};

// Walks over the values of a packed field.
class PackedValues {
 public:
  PackedValues(wire::Type type, std::string_view bytes) : type_(type), reader_(bytes) {}
  bool next(uint64_t& bits) {
    wire::Field value;
    if (!reader_.next_packed(value, type_)) return false;
    bits = value.value;
    return true;
  }
  bool ok() const { return reader_.ok(); }

 private:
  wire::Type type_;
  wire::Reader reader_;
};

}  // namespace duplex::contract
