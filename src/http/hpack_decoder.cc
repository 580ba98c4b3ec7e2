#include "http/hpack_decoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "http/hpack_huffman.h"

namespace duplex::http {

namespace {

// The first octet of each representation (RFC 7541 section 6).
constexpr uint8_t kIndexed = 0x80;      // 1xxxxxxx: 6.1
constexpr uint8_t kIncremental = 0x40;  // 01xxxxxx: 6.2.1
constexpr uint8_t kSizeUpdate = 0x20;   // 001xxxxx: 6.3
constexpr uint8_t kNever = 0x10;        // 0001xxxx: 6.2.3; 0000xxxx: 6.2.2
constexpr uint8_t kHuffman = 0x80;      // of a string: 5.2

constexpr size_t kKeptScratch = 8192;

}  // namespace

HpackDecoder::HpackDecoder(Mark mark, size_t max_table)
    : mark_(mark), max_table_(max_table), table_(std::min(max_table, kHpackDefaultTable)) {
  for (uint32_t i = 1; i <= kHpackStaticCount; ++i)
    static_marks_[i] = mark(kHpackStatic[i].name, kHpackStatic[i].value);
}

void HpackDecoder::begin(std::string_view block) {
  at_ = reinterpret_cast<const uint8_t*>(block.data());
  end_ = at_ + block.size();
  fields_seen_ = false;
  if (failed_) at_ = end_;
  if (scratch_size_ > kKeptScratch) {
    scratch_.reset();
    scratch_size_ = 0;
  }
}

inline bool HpackDecoder::number(uint32_t mask, uint32_t& n) {
  n = *at_++ & mask;
  return n < mask || more_of_number(n);
}

HpackDecoder::Step HpackDecoder::other(HpackField& field) {
  while (at_ != end_) {
    const uint8_t first = *at_;
    if (first & kIndexed) {
      uint32_t index;
      if (!number(0x7f, index)) return fail();
      fields_seen_ = true;
      return indexed(index, field);
    }
    if (first & kIncremental) return literal(0x3f, true, field);
    if (!(first & kSizeUpdate)) {
      const Step step = literal(0x0f, false, field);
      field.never_indexed = first & kNever;
      return step;
    }
    uint32_t max;
    if (fields_seen_ || !number(0x1f, max) || max > max_table_) return fail();
    table_.set_max(max);
  }
  return failed_ ? Step::kError : Step::kEnd;
}

HpackDecoder::Step HpackDecoder::fail() {
  failed_ = true;
  at_ = end_;
  return Step::kError;
}

HpackDecoder::Step HpackDecoder::literal(uint8_t prefix, bool add, HpackField& field) {
  fields_seen_ = true;
  scratch_used_ = 0;
  uint32_t index;
  if (!number(prefix, index)) return fail();
  std::string_view name, value;
  if (index) {
    HpackField named;
    if (indexed(index, named) == Step::kError) return Step::kError;
    name = named.name;
    if (!string(value)) return fail();
  } else {
    if (!string(name)) return fail();
    // The value may need a larger scratch_, to which the name moves.
    const bool decoded = scratch_used_ != 0;
    if (!string(value)) return fail();
    if (decoded) name = {scratch_.get(), name.size()};
  }
  field.mark = mark_(name, value);
  field.never_indexed = false;
  field.name = name;
  field.value = value;
  if (!add) return Step::kField;

  const size_t measured = HpackTable::measure(name, value);
  while (table_.lacks_room(measured)) table_.evict();
  if (measured > table_.max()) return Step::kField;
  HpackTable::Entry& e = table_.add(name, value);
  e.mark = field.mark;
  field.name = table_.name(e);
  field.value = table_.value(e);
  return Step::kField;
}

bool HpackDecoder::more_of_number(uint32_t& n) {
  // Five octets more hold 32 bits. What would need more is an error here (section 5.1 leaves the limit to us).
  for (unsigned shift = 0; shift < 32; shift += 7) {
    if (at_ == end_) return false;
    const uint64_t octet = *at_++;
    const uint64_t sum = n + ((octet & 0x7f) << shift);
    if (sum > std::numeric_limits<uint32_t>::max()) return false;
    n = static_cast<uint32_t>(sum);
    if (!(octet & 0x80)) return true;
  }
  return false;
}

bool HpackDecoder::string(std::string_view& text) {
  if (at_ == end_) return false;
  const bool huffman = *at_ & kHuffman;
  uint32_t size;
  if (!number(0x7f, size) || size > static_cast<size_t>(end_ - at_)) return false;
  const std::string_view octets(reinterpret_cast<const char*>(at_), size);
  at_ += size;
  if (!huffman) {
    text = octets;
    return true;
  }
  char* const begin = scratch(huffman_room(size));
  char* const end = huffman_decode(octets, begin);
  if (!end) return false;
  text = {begin, static_cast<size_t>(end - begin)};
  scratch_used_ += text.size();
  return true;
}

char* HpackDecoder::scratch(size_t room) {
  if (scratch_used_ + room > scratch_size_) {
    const size_t size = std::max(2 * scratch_size_, scratch_used_ + room);
    auto larger = std::make_unique_for_overwrite<char[]>(size);
    if (scratch_used_) std::memcpy(larger.get(), scratch_.get(), scratch_used_);
    scratch_ = std::move(larger);
    scratch_size_ = size;
  }
  return scratch_.get() + scratch_used_;
}

}  // namespace duplex::http
