// Writes header blocks (RFC 7541): one for each direction of a connection that goes from us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "duplex/base/bytes.h"
#include "http/hpack_table.h"

namespace duplex::http {

class HpackEncoder {
 public:
  enum class Indexing : uint8_t {
    kYes,    // into the table, so that it is an index from the second time on
    kNo,     // it changes from call to call: written out, and an index only where the static table has it whole
    kNever,  // a secret: written out, and to be so on each hop (RFC 7541 section 7.1.3)
  };

  // The peer's SETTINGS_HEADER_TABLE_SIZE. We use at most kHpackDefaultTable of it. The next begin() tells the peer's
  // decoder, the smallest of several sizes first (RFC 7541 section 4.2).
  void set_peer_table(size_t max);

  // A header block is begin(), then field() for each field in their order; pseudo-fields come first.
  void begin(Buffer& out);
  void field(Buffer& out, std::string_view name, std::string_view value, Indexing indexing);

  // Grows whenever the table changes, or is about to: a block of nothing but indexed fields may be kept and sent again
  // while this is the same.
  uint64_t changes() const { return changes_; }

 private:
  // The numbers of entries by a hash of theirs: open addressing, never more than half full.
  class Finder {
   public:
    // The slot of an entry that has the hash and of which is(number) holds; null if there is none.
    template <class Is>
    uint32_t* find(uint32_t hash, Is is) const;
    void put(uint32_t hash, uint32_t number);
    void drop(uint32_t hash, uint32_t number);
    void clear(uint32_t slots);  // a power of two
    uint32_t slots() const { return slots_ ? mask_ + 1 : 0; }

   private:
    struct Slot {
      uint32_t hash = 0;  // 0: free
      uint32_t number = 0;
    };
    std::unique_ptr<Slot[]> slots_;
    uint32_t mask_ = 0;
  };

  struct Known {
    uint32_t static_name = 0;  // 0: the static table has not the name
    uint32_t name_hash = 0;    // 0: not asked yet; in an entry: the static table has the name
    uint32_t hash = 0;         // of name and value
  };
  static void put_index(Buffer& out, uint32_t index);
  void literal(Buffer& out, std::string_view name, std::string_view value, Indexing indexing, Known known);
  void add(std::string_view name, std::string_view value, const Known& known);
  void put(uint32_t number);
  void evict();
  uint32_t index_of(uint32_t number) const { return kHpackStaticCount + (table_.end() - number); }

  HpackTable table_{kHpackDefaultTable};
  Finder fields_, names_;
  uint64_t changes_ = 0;
  bool resized_ = false;  // the peer's decoder must be told
  size_t smallest_ = 0;   // since it was told last
};

// What to do with a field of which nothing else is known: whether it is the same from call to call, or a secret.
HpackEncoder::Indexing hpack_indexing(std::string_view name, std::string_view value);

}  // namespace duplex::http
