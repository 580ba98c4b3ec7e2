// Metadata: the name-value pairs that travel with a call, in order, duplicates kept; a copy is a count.
//
// Names are lower case; a name that ends in "-bin" has a binary value, held decoded (the wire's base64 is the
// protocol's business). Names the protocols keep for themselves (":...", "grpc-...", "content-type", "te" and the
// connection's own) are refused by set_by_user() (gRPC's PROTOCOL-HTTP2, "Custom-Metadata").
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"

namespace duplex {

// Does the value of that name travel as bytes?
inline bool is_binary_name(std::string_view name) { return name.ends_with("-bin"); }

// Can an HTTP field carry that value (RFC 9110 section 5.5)? No control octet but the tab: neither CR nor LF nor NUL,
// so that no value can begin a line of its own.
bool is_field_value(std::string_view value);

class Metadata {
  struct Lengths {  // before each entry's name and value
    uint32_t name, value;
  };

 public:
  struct Entry {
    std::string_view name, value;
  };
  class Iterator {
   public:
    explicit Iterator(const char* at) : at_(at) {}
    Entry operator*() const {
      const Lengths n = lengths();
      const char* name = at_ + sizeof n;
      return {{name, n.name}, {name + n.name, n.value}};
    }
    Iterator& operator++() {
      const Lengths n = lengths();
      at_ += sizeof n + n.name + n.value;
      return *this;
    }
    bool operator!=(const Iterator& o) const { return at_ != o.at_; }
    bool operator==(const Iterator& o) const { return at_ == o.at_; }

   private:
    Lengths lengths() const {
      Lengths n;
      std::memcpy(&n, at_, sizeof n);
      return n;
    }
    const char* at_;
  };

  Metadata() = default;
  Metadata(const Metadata& o) : rep_(o.rep_) {
    if (rep_ && !rep_->constant) rep_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Metadata(Metadata&& o) noexcept : rep_(std::exchange(o.rep_, nullptr)) {}
  Metadata& operator=(Metadata o) noexcept {
    std::swap(rep_, o.rep_);
    return *this;
  }
  ~Metadata() {
    if (rep_ && !rep_->constant) drop();
  }

  // Entries that are the same for the whole life of the process: their copies are not counted, so that loops which send
  // them do not share a cache line that changes. Never freed: for static variables.
  static Metadata constant(std::initializer_list<Entry> entries);
  bool is_constant() const { return rep_ && rep_->constant; }
  // The same for all copies of one constant(), and of nothing else.
  const void* constant_identity() const { return is_constant() ? rep_ : nullptr; }

  bool empty() const { return !rep_ || rep_->count == 0; }
  size_t size() const { return rep_ ? rep_->count : 0; }
  // Octets of names and values, and 32 an entry (RFC 9113 section 10.5.1's measure).
  size_t octets() const { return rep_ ? rep_->data.size() + rep_->count * (32 - sizeof(Lengths)) : 0; }

  // False: surely nothing has that name. Costs no walk.
  bool may_have(std::string_view name) const { return rep_ && (rep_->names & mark(name)); }
  // Is there a name that ends in "-bin"?
  bool has_binary() const { return rep_ && rep_->binary; }
  // The first value of that name.
  std::optional<std::string_view> find(std::string_view name) const {
    if (!may_have(name)) return std::nullopt;
    return find_by_walk(name);
  }
  // No entry, and the memory for the next ones kept where nobody shares it.
  void clear();
  // Appends; name and value are taken as they are. For protocol code, which has checked them. What no field can carry
  // is INTERNAL in a handler's answer, and left out where a filter added it.
  void add(std::string_view name, std::string_view value);
  // Appends what a user set: checks name and value. INVALID_ARGUMENT says which rule is broken.
  Status set_by_user(std::string_view name, std::string_view value);
  void remove(std::string_view name);

  Iterator begin() const { return rep_ ? Iterator(rep_->data.data()) : end(); }
  Iterator end() const {
    const char* e = rep_ ? rep_->data.data() + rep_->data.size() : nullptr;
    return Iterator(e);
  }

 private:
  struct Rep {
    std::atomic<uint32_t> refs{1};
    uint32_t count = 0;
    uint64_t names = 0;  // a mark for each name that is there (a Bloom filter)
    bool binary = false, constant = false;
    Buffer data;  // entries: Lengths, name, value
  };
  static uint64_t mark(std::string_view name) {
    if (name.empty()) return 1;
    auto octet = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(name[i])); };
    return uint64_t{1} << ((name.size() + 3 * octet(0) + 5 * octet(name.size() - 1)) & 63);
  }
  std::optional<std::string_view> find_by_walk(std::string_view name) const;
  void drop();
  Rep& own() {  // unshared
    const bool mine = rep_ && !rep_->constant && rep_->refs.load(std::memory_order_acquire) == 1;
    return mine ? *rep_ : unshare();
  }
  Rep& unshare();
  Rep* rep_ = nullptr;
};

}  // namespace duplex
