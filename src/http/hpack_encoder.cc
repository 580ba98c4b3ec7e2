#include "http/hpack_encoder.h"

#include <algorithm>
#include <cstring>

#include "http/hpack_huffman.h"

namespace duplex::http {

namespace {

using Indexing = HpackEncoder::Indexing;

// The first octets of the representations (RFC 7541 section 6).
constexpr uint8_t kIndexed = 0x80;
constexpr uint8_t kIncremental = 0x40;
constexpr uint8_t kSizeUpdate = 0x20;
constexpr uint8_t kNever = 0x10;
constexpr uint8_t kWithout = 0x00;
constexpr uint8_t kHuffman = 0x80;

constexpr size_t kNumberRoom = 6;  // the longest number of 32 bits
constexpr uint32_t kLeastSlots = 16;
constexpr uint32_t kLastWithValue = 16;  // of the static table: accept-encoding

// Section 5.1; `mask` has the bits that the first octet keeps for it.
char* put_number(char* to, uint8_t first, uint32_t mask, uint32_t n) {
  if (n < mask) {
    *to++ = static_cast<char>(first | n);
    return to;
  }
  *to++ = static_cast<char>(first | mask);
  for (n -= mask; n >= 0x80; n >>= 7) *to++ = static_cast<char>(0x80 | (n & 0x7f));
  *to++ = static_cast<char>(n);
  return to;
}

char* put_plain(char* to, std::string_view text) {
  to = put_number(to, 0, 0x7f, static_cast<uint32_t>(text.size()));
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* put_shorter(char* to, std::string_view text) {
  const size_t size = huffman_length(text);
  if (size >= text.size()) return put_plain(to, text);
  to = put_number(to, kHuffman, 0x7f, static_cast<uint32_t>(size));
  huffman_encode(text, to);
  return to + size;
}

// Never 0. Who may choose fields can make hashes meet, but not more of them than the table has entries.
uint32_t hash_of(std::string_view text, uint32_t seed) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  const char* at = text.data();
  size_t left = text.size();
  uint64_t h = seed * kOdd + left;
  const auto mix = [&](uint64_t word) {
    h = (h ^ word) * kOdd;
    h ^= h >> 32;
  };
  uint64_t word = 0;
  if (left >= 8) {
    for (; left > 8; left -= 8, at += 8) {
      std::memcpy(&word, at, 8);
      mix(word);
    }
    std::memcpy(&word, at + left - 8, 8);
  } else if (left >= 4) {
    uint32_t low, high;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + left - 4, 4);
    word = low | uint64_t{high} << 32;
  } else if (left) {
    word = static_cast<uint8_t>(at[0]) | static_cast<uint8_t>(at[left / 2]) << 8 |
           static_cast<uint8_t>(at[left - 1]) << 16;
  }
  mix(word);
  return static_cast<uint32_t>((h * kOdd) >> 32) | 1;
}

// The static table's entry that has the value, too, among those of the name that begin at `index`; 0: none.
uint32_t static_field(uint32_t index, std::string_view name, std::string_view value) {
  if (index > kLastWithValue && !value.empty()) return 0;
  do {
    if (hpack_same(kHpackStatic[index].value, value)) return index;
  } while (++index <= kHpackStaticCount && hpack_same(kHpackStatic[index].name, name));
  return 0;
}

}  // namespace

template <class Is>
uint32_t* HpackEncoder::Finder::find(uint32_t hash, Is is) const {
  if (!slots_) return nullptr;
  for (uint32_t i = hash >> 1;; ++i) {
    Slot& slot = slots_[i & mask_];
    if (!slot.hash) return nullptr;
    if (slot.hash == hash && is(slot.number)) return &slot.number;
  }
}

void HpackEncoder::Finder::put(uint32_t hash, uint32_t number) {
  uint32_t i = hash >> 1;
  while (slots_[i & mask_].hash) ++i;
  slots_[i & mask_] = {hash, number};
}

void HpackEncoder::Finder::drop(uint32_t hash, uint32_t number) {
  uint32_t hole = hash >> 1;
  while (slots_[hole & mask_].number != number || slots_[hole & mask_].hash != hash) {
    if (!slots_[hole & mask_].hash) return;
    ++hole;
  }
  // What follows without a gap moves up, unless it would stand before the place that its hash gives it.
  for (uint32_t i = hole + 1; slots_[i & mask_].hash; ++i) {
    const uint32_t way = (i - (slots_[i & mask_].hash >> 1)) & mask_;
    if (way < i - hole) continue;
    slots_[hole & mask_] = slots_[i & mask_];
    hole = i;
  }
  slots_[hole & mask_] = {};
}

void HpackEncoder::Finder::clear(uint32_t slots) {
  slots_ = std::make_unique<Slot[]>(slots);
  mask_ = slots - 1;
}

void HpackEncoder::set_peer_table(size_t max) {
  max = std::min(max, kHpackDefaultTable);
  if (!resized_ && max == table_.max()) return;
  smallest_ = resized_ ? std::min(smallest_, max) : max;
  resized_ = true;
  ++changes_;
  while (table_.size() > max) evict();
  table_.set_max(max);
}

void HpackEncoder::begin(Buffer& out) {
  if (!resized_) [[likely]]
    return;
  resized_ = false;
  char* to = out.extend(2 * kNumberRoom);
  if (smallest_ < table_.max()) to = put_number(to, kSizeUpdate, 0x1f, static_cast<uint32_t>(smallest_));
  to = put_number(to, kSizeUpdate, 0x1f, static_cast<uint32_t>(table_.max()));
  out.truncate(static_cast<size_t>(to - out.data()));
}

void HpackEncoder::field(Buffer& out, std::string_view name, std::string_view value, Indexing indexing) {
  uint32_t name_hash = 0, hash = 0;
  // What is known and stays is in the dynamic table, but for pseudo-fields, which the static table may have whole.
  const bool pseudo = !name.empty() && name.front() == ':';
  uint32_t index = pseudo ? hpack_static_name(name) : 0;
  if (index && indexing != Indexing::kNever)
    if (const uint32_t whole = static_field(index, name, value)) return put_index(out, whole);
  if (indexing == Indexing::kYes) {
    name_hash = hash_of(name, 0);
    hash = hash_of(value, name_hash);
    const uint32_t* number = fields_.find(hash, [&](uint32_t n) {
      const HpackTable::Entry& e = table_.entry(n);
      return hpack_same(table_.value(e), value) && hpack_same(table_.name(e), name);
    });
    if (number) return put_index(out, index_of(*number));
  }
  if (!pseudo) {
    index = hpack_static_name(name);
    if (index && indexing != Indexing::kNever)
      if (const uint32_t whole = static_field(index, name, value)) return put_index(out, whole);
  }
  literal(out, name, value, indexing, {.static_name = index, .name_hash = name_hash, .hash = hash});
}

void HpackEncoder::put_index(Buffer& out, uint32_t index) {
  if (index < 0x7f) return out.append(static_cast<char>(kIndexed | index));
  char* const to = out.extend(kNumberRoom);
  out.truncate(static_cast<size_t>(put_number(to, kIndexed, 0x7f, index) - out.data()));
}

void HpackEncoder::literal(Buffer& out, std::string_view name, std::string_view value, Indexing indexing, Known known) {
  uint32_t index = known.static_name;
  if (index) {
    known.name_hash = 0;
  } else if (table_.count()) {
    if (!known.name_hash) known.name_hash = hash_of(name, 0);
    const uint32_t* number =
        names_.find(known.name_hash, [&](uint32_t n) { return hpack_same(table_.name(table_.entry(n)), name); });
    if (number) index = index_of(*number);
  }
  char* to = out.extend(3 * kNumberRoom + name.size() + value.size());
  // What would take the table from most others is not worth it.
  if (indexing == Indexing::kYes && HpackTable::measure(name, value) <= table_.max() / 2) {
    // Read once and kept: its shortest form.
    to = put_number(to, kIncremental, 0x3f, index);
    if (!index) to = put_shorter(to, name);
    to = put_shorter(to, value);
    add(name, value, known);
  } else {
    // Plain: the Huffman code would save a third of the octets, and cost some hundred instructions at both ends, at
    // each call.
    to = put_number(to, indexing == Indexing::kNever ? kNever : kWithout, 0x0f, index);
    if (!index) to = put_plain(to, name);
    to = put_plain(to, value);
  }
  out.truncate(static_cast<size_t>(to - out.data()));
}

void HpackEncoder::add(std::string_view name, std::string_view value, const Known& known) {
  ++changes_;
  while (table_.lacks_room(HpackTable::measure(name, value))) evict();
  HpackTable::Entry& e = table_.add(name, value);
  e.name_hash = known.name_hash;
  e.hash = known.hash;
  if (fields_.slots() >= 2 * table_.count()) return put(table_.end() - 1);
  const uint32_t slots = std::max(2 * fields_.slots(), kLeastSlots);
  fields_.clear(slots);
  names_.clear(slots);
  for (uint32_t n = table_.first(); n != table_.end(); ++n) put(n);
}

void HpackEncoder::put(uint32_t number) {
  const HpackTable::Entry& e = table_.entry(number);
  fields_.put(e.hash, number);
  if (!e.name_hash) return;
  // Of one name, the newest: it stays longest.
  const std::string_view name = table_.name(e);
  uint32_t* same = names_.find(e.name_hash, [&](uint32_t n) { return hpack_same(table_.name(table_.entry(n)), name); });
  if (same)
    *same = number;
  else
    names_.put(e.name_hash, number);
}

void HpackEncoder::evict() {
  const HpackTable::Entry& e = table_.entry(table_.first());
  fields_.drop(e.hash, table_.first());
  if (e.name_hash) names_.drop(e.name_hash, table_.first());
  table_.evict();
}

namespace {

bool is(std::string_view name, std::string_view other) { return hpack_same(name.data(), other.data(), other.size()); }

}  // namespace

Indexing hpack_indexing(std::string_view name, std::string_view value) {
  bool changes = false, secret = false;
  switch (name.size()) {
    case 3:
      changes = is(name, "age");
      break;
    case 4:
      changes = is(name, "date") || is(name, "etag");
      break;
    case 5:  // a query says what is asked for this once
      changes = is(name, ":path") && value.find('?') != std::string_view::npos;
      break;
    case 6:  // short enough to be guessed
      secret = is(name, "cookie") && value.size() < 20;
      break;
    case 7:
      changes = is(name, "baggage") || is(name, "expires");
      break;
    case 8:
      changes = is(name, "location");
      break;
    case 9:
      secret = is(name, "x-api-key");
      break;
    case 10:
      changes = is(name, "tracestate");
      secret = is(name, "set-cookie");
      break;
    case 11:
      changes = is(name, "traceparent") || is(name, "x-b3-spanid");
      break;
    case 12:
      changes =
          is(name, "grpc-timeout") || is(name, "x-request-id") || is(name, "grpc-message") || is(name, "x-b3-traceid");
      break;
    case 13:
      changes = is(name, "content-range") || is(name, "if-none-match") || is(name, "last-modified");
      secret = is(name, "authorization");
      break;
    case 14:
      changes = is(name, "content-length") || is(name, "grpc-trace-bin");
      break;
    case 15:
      changes = is(name, "idempotency-key");
      break;
    case 16:
      changes = is(name, "x-correlation-id");
      break;
    case 17:
      changes = is(name, "if-modified-since") || is(name, "x-b3-parentspanid");
      break;
    case 19:
      changes = is(name, "if-unmodified-since");
      secret = is(name, "proxy-authorization");
      break;
    case 23:
      changes = is(name, "grpc-status-details-bin");
      break;
    default:
      break;
  }
  if (secret) return Indexing::kNever;
  return changes ? Indexing::kNo : Indexing::kYes;
}

}  // namespace duplex::http
