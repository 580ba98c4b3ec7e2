#include "http/hpack_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace duplex::http {

constexpr std::array<HpackStaticField, kHpackStaticCount + 1> kHpackStatic = {{
    {"", ""},
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
}};

namespace {

// The static table's names by their length: the names of a length are few, and most are told apart by one octet.
struct NamesByLength {
  static constexpr size_t kLongest = 27;
  struct Group {
    uint8_t begin = 0, end = 0;
  };
  std::array<Group, kLongest + 2> groups{};
  std::array<uint8_t, kHpackStaticCount> indexes{};

  constexpr NamesByLength() {
    uint8_t at = 0;
    for (size_t length = 1; length <= kLongest; ++length) {
      groups[length].begin = at;
      for (uint32_t i = 1; i <= kHpackStaticCount; ++i)
        if (kHpackStatic[i].name.size() == length && kHpackStatic[i].name != kHpackStatic[i - 1].name)
          indexes[at++] = static_cast<uint8_t>(i);
      groups[length].end = at;
    }
  }
};
constexpr NamesByLength kNames;

}  // namespace

uint32_t hpack_static_name(std::string_view name) {
  if (name.size() > NamesByLength::kLongest) return 0;
  const NamesByLength::Group group = kNames.groups[name.size()];
  for (uint8_t i = group.begin; i < group.end; ++i) {
    const std::string_view other = kHpackStatic[kNames.indexes[i]].name;
    if (other.back() == name.back() && hpack_same(other, name)) return kNames.indexes[i];
  }
  return 0;
}

HpackTable::Entry& HpackTable::add(std::string_view name, std::string_view value) {
  const size_t octets = name.size() + value.size();
  std::unique_ptr<char[]> old;
  if (arena_end_ + octets > arena_size_) old = tidy(octets);
  if (!ring_ || count() > mask_) grow_ring();
  Entry& e = entry(end_++);
  e.at = static_cast<uint32_t>(arena_end_);
  e.name_size = static_cast<uint32_t>(name.size());
  e.value_size = static_cast<uint32_t>(value.size());
  if (!name.empty()) std::memcpy(arena_.get() + arena_end_, name.data(), name.size());
  if (!value.empty()) std::memcpy(arena_.get() + arena_end_ + name.size(), value.data(), value.size());
  arena_end_ += octets;
  size_ += octets + kHpackEntryOverhead;
  return e;
}

std::unique_ptr<char[]> HpackTable::tidy(size_t octets) {
  const size_t live = size_ - count() * kHpackEntryOverhead;
  const size_t least = 256;
  arena_size_ = std::max(least, 2 * (live + octets));
  std::unique_ptr<char[]> old = std::exchange(arena_, std::make_unique_for_overwrite<char[]>(arena_size_));
  if (live) {  // it lies in one piece, the oldest first
    const uint32_t begin = entry(first_).at;
    std::memcpy(arena_.get(), old.get() + begin, live);
    for (uint32_t n = first_; n != end_; ++n) entry(n).at -= begin;
  }
  arena_end_ = live;
  return old;
}

void HpackTable::grow_ring() {
  const uint32_t least = 8;
  const uint32_t size = ring_ ? 2 * (mask_ + 1) : least;
  auto ring = std::make_unique<Entry[]>(size);
  for (uint32_t n = first_; n != end_; ++n) ring[n & (size - 1)] = entry(n);
  ring_ = std::move(ring);
  mask_ = size - 1;
}

}  // namespace duplex::http
