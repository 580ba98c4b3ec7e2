// Names and what they stand for: made once, then only asked. Open addressing over a hash of a name's length and ends.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace duplex::contract {

class NameTable {
 public:
  // The first of two equal names stays. `name` is not copied and must stay where it is.
  void add(std::string_view name, int32_t value) { entries_.push_back({name, value}); }
  // After the last add().
  void build() {
    size_t size = 4;
    while (size < entries_.size() * 2) size *= 2;
    slots_.assign(size, Entry{});
    for (const Entry& entry : entries_) {
      Entry& slot = slots_[find_slot(entry.name)];
      if (!slot.name.data()) slot = entry;
    }
    entries_.clear();
    entries_.shrink_to_fit();
  }
  // Null: there is none of that name.
  const int32_t* find(std::string_view name) const {
    const Entry& slot = slots_[find_slot(name)];
    return slot.name.data() ? &slot.value : nullptr;
  }

 private:
  struct Entry {
    std::string_view name;
    int32_t value = 0;
  };

  size_t find_slot(std::string_view name) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = hash(name) & mask;; i = (i + 1) & mask)
      if (!slots_[i].name.data() || slots_[i].name == name) return i;
  }
  static uint64_t hash(std::string_view name) {
    uint64_t first = 0, last = 0;
    if (name.size() >= 8) {
      std::memcpy(&first, name.data(), 8);
      std::memcpy(&last, name.data() + name.size() - 8, 8);
    } else if (name.size() >= 4) {
      std::memcpy(&first, name.data(), 4);
      std::memcpy(&last, name.data() + name.size() - 4, 4);
    } else {
      for (char c : name) first = first << 8 | static_cast<unsigned char>(c);
    }
    uint64_t h = (first ^ name.size() * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 29 ^ last) * 0x94d049bb133111ebu;
    return h ^ h >> 32;
  }

  std::vector<Entry> entries_;
  std::vector<Entry> slots_;
};

}  // namespace duplex::contract
