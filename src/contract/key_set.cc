#include "contract/key_set.h"

#include <algorithm>
#include <cstring>

namespace duplex::contract {

namespace {

using Key = KeySet::Key;

uint64_t first_octets(std::string_view text) {
  uint64_t first = 0;
  if (text.size() >= 8) {
    for (size_t i = 0; i < 8; ++i) first = first << 8 | static_cast<unsigned char>(text[i]);
  } else if (!text.empty()) {
    for (char c : text) first = first << 8 | static_cast<unsigned char>(c);
    first <<= 8 * (8 - text.size());
  }
  return first;
}

std::string_view text_of(const Key& key, const char* base) { return {base + key.from, key.size}; }

int compare(const Key& a, const Key& b, const char* base) {
  if (a.number != b.number) return a.number < b.number ? -1 : 1;
  if (a.size <= 8 || b.size <= 8) return a.size < b.size ? -1 : a.size > b.size;  // no more than the first octets
  return text_of(a, base).compare(text_of(b, base));
}

uint64_t hash(const Key& key, const char* base) {
  uint64_t h = (key.number ^ key.size) * 0x9e3779b97f4a7c15u;
  for (size_t i = 8; i < key.size; i += 8) {
    uint64_t part = 0;
    std::memcpy(&part, base + key.from + std::min<size_t>(i, key.size - 8), 8);
    h = (h ^ h >> 32 ^ part) * 0xbf58476d1ce4e5b9u;
  }
  h = (h ^ h >> 32) * 0x94d049bb133111ebu;  // the low bits are used, and texts most often differ in high ones
  return h ^ h >> 32;
}

}  // namespace

void KeySet::add_text(std::string_view text, size_t from) {
  keys_.push_back({first_octets(text), from, static_cast<uint32_t>(text.size()), static_cast<uint32_t>(keys_.size())});
}

bool KeySet::ascending(size_t opened, const char* base) const {
  for (size_t i = opened + 1; i < keys_.size(); ++i)
    if (compare(keys_[i - 1], keys_[i], base) >= 0) return false;
  return true;
}

bool KeySet::distinct_by_hash(size_t opened, const char* base) {
  constexpr size_t kLongestChain = 32;
  const size_t count = keys_.size() - opened;
  size_t size = 16;
  while (size < count * 2) size *= 2;
  // The high half of a key's hash, and its place in keys_ counted from 1.
  slots_.assign(size, 0);
  for (size_t i = opened; i < keys_.size(); ++i) {
    const uint64_t h = hash(keys_[i], base), high = h & ~uint64_t{UINT32_MAX};
    size_t at = h & (size - 1);
    for (size_t steps = 0; slots_[at]; at = (at + 1) & (size - 1)) {
      if (++steps > kLongestChain) return false;
      const uint64_t slot = slots_[at];
      if (((slot ^ high) >> 32) == 0 && compare(keys_[(slot & UINT32_MAX) - 1], keys_[i], base) == 0) return false;
    }
    slots_[at] = high | (i + 1);
  }
  return true;
}

void KeySet::sort(size_t opened, const char* base) {
  std::sort(keys_.begin() + static_cast<std::ptrdiff_t>(opened), keys_.end(), [base](const Key& a, const Key& b) {
    const int order = compare(a, b, base);
    return order ? order < 0 : a.place < b.place;
  });
}

bool KeySet::has_twins(size_t opened, const char* base) {
  if (ascending(opened, base) || distinct_by_hash(opened, base)) return false;
  sort(opened, base);
  return !ascending(opened, base);
}

void KeySet::mark_last(size_t opened, const char* base, std::vector<bool>& last) {
  sort(opened, base);
  last.assign(keys_.size() - opened, true);
  for (size_t i = opened + 1; i < keys_.size(); ++i)
    if (compare(keys_[i - 1], keys_[i], base) == 0) last[keys_[i - 1].place - opened] = false;
}

}  // namespace duplex::contract
