// The two tables that HPACK counts fields in (RFC 7541 section 2.3): the static one, and one end's dynamic one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace duplex::http {

// What an entry counts beyond its octets (RFC 7541 section 4.1).
inline constexpr size_t kHpackEntryOverhead = 32;
// The dynamic table that each end may use before anybody has said anything (RFC 9113 section 6.5.2).
inline constexpr size_t kHpackDefaultTable = 4096;

// Whether `size` octets are the same: inline, since most texts here are shorter than a call of memcmp is long.
inline bool hpack_same(const char* a, const char* b, size_t size) {
  const auto differ = [&]<class Word>(Word word, size_t at) {
    Word other;
    std::memcpy(&word, a + at, sizeof word);
    std::memcpy(&other, b + at, sizeof other);
    return word != other;
  };
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8)
      if (differ(uint64_t{}, at)) return false;
    return !differ(uint64_t{}, size - 8);
  }
  if (size >= 4) return !differ(uint32_t{}, 0) && !differ(uint32_t{}, size - 4);
  if (size >= 2) return !differ(uint16_t{}, 0) && !differ(uint16_t{}, size - 2);
  return !size || *a == *b;
}
inline bool hpack_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && hpack_same(a.data(), b.data(), a.size());
}

struct HpackStaticField {
  std::string_view name, value;
};
inline constexpr uint32_t kHpackStaticCount = 61;
// RFC 7541 Appendix A; index 0 is nothing.
extern const std::array<HpackStaticField, kHpackStaticCount + 1> kHpackStatic;
// The first index in the static table that has the name; 0: none has.
uint32_t hpack_static_name(std::string_view name);

// First in, first out, at most max() by the RFC's measure, in memory that grows with what is in it: octets in one
// arena, which is moved to a new one when its end is reached, and a ring of entries. An entry is known by its number,
// which counts on for ever: the oldest is first(), the newest is end() - 1.
class HpackTable {
 public:
  struct Entry {
    uint32_t at = 0;  // in the arena; the value follows the name
    uint32_t name_size = 0, value_size = 0;
    uint32_t name_hash = 0, hash = 0;  // the encoder's; no name_hash: the static table has the name
    uint8_t mark = 0;                  // the decoder's
  };

  explicit HpackTable(size_t max) : max_(max) {}

  size_t max() const { return max_; }
  size_t size() const { return size_; }
  uint32_t first() const { return first_; }
  uint32_t end() const { return end_; }
  uint32_t count() const { return end_ - first_; }
  Entry& entry(uint32_t number) { return ring_[number & mask_]; }
  const Entry& entry(uint32_t number) const { return ring_[number & mask_]; }
  // Views into the arena hold until add().
  std::string_view name(const Entry& e) const { return {arena_.get() + e.at, e.name_size}; }
  std::string_view value(const Entry& e) const { return {arena_.get() + e.at + e.name_size, e.value_size}; }

  static size_t measure(std::string_view name, std::string_view value) {
    return name.size() + value.size() + kHpackEntryOverhead;
  }
  void set_max(size_t max) {
    max_ = max;
    while (size_ > max_) evict();
  }
  // Whether evict() must come before add(). Something larger than max() never fits: the table ends empty.
  bool lacks_room(size_t measured) const { return size_ + measured > max_ && first_ != end_; }
  void evict() {
    const Entry& e = entry(first_++);
    size_ -= e.name_size + e.value_size + kHpackEntryOverhead;
  }
  // Adds the newest; the caller has evicted until it fits. Name and value may lie in this table, be it in an entry that
  // was evicted for this one (section 4.4).
  Entry& add(std::string_view name, std::string_view value);

 private:
  // A new arena with what is live and room for as much again; the old one, since what is to be added may lie in it.
  std::unique_ptr<char[]> tidy(size_t octets);
  void grow_ring();

  size_t max_, size_ = 0;
  uint32_t first_ = 0, end_ = 0, mask_ = 0;
  std::unique_ptr<Entry[]> ring_;
  std::unique_ptr<char[]> arena_;
  size_t arena_size_ = 0, arena_end_ = 0;
};

}  // namespace duplex::http
