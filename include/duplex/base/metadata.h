// Metadata: the name-value pairs that travel with a call, in order, duplicates kept; a copy is a count.
//
// Names are lower case; a name that ends in "-bin" has a binary value, held decoded (the wire's base64 is the
// protocol's business). Names the protocols keep for themselves (":...", "grpc-...", "content-type", "te" and the
// connection's own) are refused by set_by_user() (gRPC's PROTOCOL-HTTP2, "Custom-Metadata").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"

namespace duplex {

class Metadata {
 public:
  struct Entry {
    std::string_view name, value;
  };
  class Iterator {
   public:
    explicit Iterator(const char* at) : at_(at) {}
    Entry operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& o) const { return at_ != o.at_; }
    bool operator==(const Iterator& o) const { return at_ == o.at_; }

   private:
    const char* at_;
  };

  Metadata() = default;
  Metadata(const Metadata& o);
  Metadata(Metadata&& o) noexcept : rep_(std::exchange(o.rep_, nullptr)) {}
  Metadata& operator=(Metadata o) noexcept {
    std::swap(rep_, o.rep_);
    return *this;
  }
  ~Metadata() { drop(); }

  bool empty() const { return !rep_ || rep_->count == 0; }
  size_t size() const { return rep_ ? rep_->count : 0; }
  // Octets of names and values, and 32 an entry (RFC 9113 section 10.5.1's measure).
  size_t octets() const;

  // The first value of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  // Appends; a name is taken as it is. For protocol code, which has checked it.
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
    Buffer data;  // entries: two 32-bit lengths, name, value
  };
  void drop();
  Rep& own();  // unshared
  Rep* rep_ = nullptr;
};

// Does the value of that name travel as bytes?
inline bool is_binary_name(std::string_view name) { return name.ends_with("-bin"); }

}  // namespace duplex
