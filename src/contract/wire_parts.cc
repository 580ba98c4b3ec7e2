#include "contract/wire_parts.h"

#include <algorithm>

namespace duplex::contract {

namespace {

constexpr int kMostGroups = 100;  // within each other; protobuf's own limit

// The wire of one message, tag by tag.
class Walk {
 public:
  explicit Walk(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool done() const { return at_ == end_; }
  const char* at() const { return at_; }

  bool tag(uint32_t& number, wire::Type& type) {
    uint64_t tag = 0;
    if (!varint(tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
    number = static_cast<uint32_t>(tag >> 3);
    type = static_cast<wire::Type>(tag & 7);
    return true;
  }
  bool varint(uint64_t& value) {
    if (at_ == end_) return false;
    uint64_t octet = static_cast<uint8_t>(*at_++);
    value = octet & 0x7f;
    for (int shift = 7; octet & 0x80; shift += 7) {
      if (shift > 63 || at_ == end_) return false;
      octet = static_cast<uint8_t>(*at_++);
      value |= (octet & 0x7f) << shift;
    }
    return true;
  }
  bool fixed(uint64_t& value, int size) {
    if (end_ - at_ < size) return false;
    value = 0;
    for (int i = 0; i < size; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(at_[i])) << (8 * i);
    at_ += size;
    return true;
  }
  bool bytes(std::string_view& bytes) {
    uint64_t size = 0;
    if (!varint(size) || size > static_cast<uint64_t>(end_ - at_)) return false;
    bytes = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }
  // The inside of a group whose start tag has been read, up to the end tag, which is read too.
  bool group(uint32_t number, std::string_view& inside, int depth = 0) {
    const char* const begin = at_;
    while (depth < kMostGroups && !done()) {
      const char* const tag_at = at_;
      uint32_t inner = 0;
      wire::Type type{};
      if (!tag(inner, type)) return false;
      if (type == wire::Type::kEndGroup) {
        inside = {begin, static_cast<size_t>(tag_at - begin)};
        return inner == number;
      }
      if (!skip(inner, type, depth + 1)) return false;
    }
    return false;
  }
  bool skip(uint32_t number, wire::Type type, int depth = 0) {
    uint64_t value = 0;
    std::string_view inside;
    switch (type) {
      case wire::Type::kVarint:
        return varint(value);
      case wire::Type::kFixed64:
        return fixed(value, 8);
      case wire::Type::kFixed32:
        return fixed(value, 4);
      case wire::Type::kBytes:
        return bytes(inside);
      case wire::Type::kStartGroup:
        return group(number, inside, depth);
      default:
        return false;
    }
  }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

bool WireParts::read(const MessageTable& type, std::string_view bytes) {
  const size_t opened = open();
  Walk walk(bytes);
  bool in_order = true;
  int64_t last = -1;
  uint64_t oneofs = 0;  // of which a member was seen
  while (!walk.done()) {
    uint32_t number = 0;
    wire::Type wire{};
    if (!walk.tag(number, wire)) return false;
    const FieldTable* const field = type.find(number);
    const bool fits = field && wire == field->wire;
    const bool packed = field && !fits && field->repeated && wire == wire::Type::kBytes && field->is_number;
    if (!fits && !packed) {
      if (!walk.skip(number, wire)) return false;
      continue;
    }
    WirePart part;
    part.field = field->index;
    part.size = WirePart::kOneValue;
    std::string_view data;
    switch (wire) {
      case wire::Type::kVarint:
        if (!walk.varint(part.bits)) return false;
        part.bits = field->significant(part.bits);
        break;
      case wire::Type::kFixed64:
        if (!walk.fixed(part.bits, 8)) return false;
        break;
      case wire::Type::kFixed32:
        if (!walk.fixed(part.bits, 4)) return false;
        break;
      default:
        if (!(wire == wire::Type::kBytes ? walk.bytes(data) : walk.group(number, data))) return false;
        part.size = static_cast<uint32_t>(data.size());
        part.data = data.data();
        break;
    }
    in_order &= part.field >= last;
    if (field->oneof >= 0 && part.field != last) {
      const uint64_t bit = field->oneof < 64 ? uint64_t{1} << field->oneof : 0;
      in_order &= bit && !(oneofs & bit);  // of a 65th it is not known
      oneofs |= bit;
    }
    last = part.field;
    parts_.push_back(part);
  }
  if (!in_order) put_in_order(type, opened);
  return true;
}

void WireParts::put_in_order(const MessageTable& type, size_t opened) {
  // Of a oneof counts what was set last: the last member's parts since another one's.
  constexpr uint32_t kNobody = UINT32_MAX, kDropped = UINT32_MAX - 1;
  std::vector<uint32_t> winner(type.oneofs.size(), kNobody);
  std::vector<bool> over(type.oneofs.size(), false);
  for (size_t i = parts_.size(); i-- > opened;) {
    const int32_t oneof = type.fields[parts_[i].field].oneof;
    if (oneof < 0) continue;
    const auto o = static_cast<size_t>(oneof);
    if (winner[o] == kNobody) winner[o] = parts_[i].field;
    if (winner[o] != parts_[i].field) over[o] = true;
    if (over[o]) parts_[i].field = kDropped;
  }
  // Those of one field keep their order.
  std::vector<uint64_t> order;
  for (size_t i = opened; i < parts_.size(); ++i)
    if (parts_[i].field != kDropped) order.push_back(uint64_t{parts_[i].field} << 32 | (i - opened));
  std::sort(order.begin(), order.end());
  std::vector<WirePart> sorted;
  sorted.reserve(order.size());
  for (uint64_t at : order) sorted.push_back(parts_[opened + (at & UINT32_MAX)]);
  std::copy(sorted.begin(), sorted.end(), parts_.begin() + static_cast<std::ptrdiff_t>(opened));
  parts_.resize(opened + sorted.size());
}

}  // namespace duplex::contract
