// The keys of one map, to find one that stands twice. Its time does not depend on which keys a peer chose: a table
// whose chains grow long gives way to sorting.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace duplex::contract {

class KeySet {
 public:
  struct Key {
    uint64_t number = 0;  // the key itself, or the first octets of a text
    size_t from = 0;      // where a text's octets lie, after the `base` of find_twins()
    uint32_t size = 0;    // 0 of a number
    uint32_t place = 0;   // the how manieth it was
  };

  // Keys of several maps at once: those of a map within a map are added and taken away in between.
  size_t open() const { return keys_.size(); }
  void add_number(uint64_t number) { keys_.push_back({number, 0, 0, static_cast<uint32_t>(keys_.size())}); }
  void add_text(std::string_view text, size_t from);
  void close(size_t opened) { keys_.resize(opened); }

  // Whether two of the keys since `opened` are one. Their order may change.
  bool has_twins(size_t opened, const char* base);
  // Marks in `last` (one each, in the order of adding) those that no later one equals.
  void mark_last(size_t opened, const char* base, std::vector<bool>& last);

  size_t capacity() const { return keys_.capacity(); }

 private:
  bool ascending(size_t opened, const char* base) const;
  bool distinct_by_hash(size_t opened, const char* base);
  void sort(size_t opened, const char* base);

  std::vector<Key> keys_;
  std::vector<uint64_t> slots_;  // of distinct_by_hash()
};

}  // namespace duplex::contract
