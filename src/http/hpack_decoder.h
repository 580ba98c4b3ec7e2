// Reads header blocks (RFC 7541): one for each direction of a connection that comes to us.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "http/hpack_table.h"

namespace duplex::http {

struct HpackField {
  std::string_view name, value;
  uint8_t mark = 0;            // what Mark said of it
  bool never_indexed = false;  // whoever sends it on must do so as Indexing::kNever (RFC 7541 section 6.2.3)
};

class HpackDecoder {
 public:
  // Asked once for each field that comes as a literal, and for each of the static table when the decoder is made; the
  // answer is kept beside the entry, so that what was checked once is not checked at each use.
  using Mark = uint8_t (*)(std::string_view name, std::string_view value);
  // `max_table` is the SETTINGS_HEADER_TABLE_SIZE that we told the peer: what a size update may ask for at most.
  explicit HpackDecoder(Mark mark, size_t max_table = kHpackDefaultTable);

  // A whole header block, its fragments joined, which must stay where it is until the last next(). How long it may be
  // is the caller's to limit: what a field decodes to is at most 1.6 times as long as its part of the block, or an
  // entry of the table.
  void begin(std::string_view block);
  enum class Step : uint8_t {
    kField,
    kEnd,    // and again until begin()
    kError,  // COMPRESSION_ERROR: the connection cannot go on (RFC 9113 section 4.3). And again for ever.
  };
  // The views in `field` hold until the next call of next() or begin().
  Step next(HpackField& field) {
    // Nearly all fields of nearly all calls: an index of one octet. The rest is not inline.
    constexpr uint8_t kIndexed = 0x80, kMore = 0xff;
    if (at_ == end_ || *at_ < kIndexed || *at_ == kMore) return other(field);
    fields_seen_ = true;
    return indexed(*at_++ - kIndexed, field);
  }

  // What the peer's encoder counts at this moment, by the measure of RFC 7541 section 4.1.
  size_t table_size() const { return table_.size(); }

 private:
  Step fail();
  Step other(HpackField& field);
  Step indexed(uint32_t index, HpackField& field) {
    field.never_indexed = false;
    if (index > kHpackStaticCount) {
      const uint32_t back = index - kHpackStaticCount;  // 1: the newest
      if (back > table_.count()) return fail();
      const HpackTable::Entry& e = table_.entry(table_.end() - back);
      field.name = table_.name(e);
      field.value = table_.value(e);
      field.mark = e.mark;
      return Step::kField;
    }
    if (!index) return fail();
    field.name = kHpackStatic[index].name;
    field.value = kHpackStatic[index].value;
    field.mark = static_marks_[index];
    return Step::kField;
  }
  Step literal(uint8_t prefix, bool add, HpackField& field);
  // The number whose first octet, at at_, keeps it in the bits of `mask`.
  bool number(uint32_t mask, uint32_t& n);
  bool more_of_number(uint32_t& n);
  // A string literal: a view into the block, or decoded into scratch_ from scratch_used_ on.
  bool string(std::string_view& text);
  char* scratch(size_t room);

  Mark mark_;
  size_t max_table_;
  HpackTable table_;
  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool fields_seen_ = false;  // in this block: a size update may not come any more
  bool failed_ = false;
  std::unique_ptr<char[]> scratch_;
  size_t scratch_size_ = 0, scratch_used_ = 0;
  std::array<uint8_t, kHpackStaticCount + 1> static_marks_{};
};

}  // namespace duplex::http
