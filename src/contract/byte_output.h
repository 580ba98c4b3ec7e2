// Bytes as they are made, front to back, of a message or of its JSON. What is nested in a message gets its length when
// it is closed.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "duplex/base/bytes.h"

namespace duplex::contract {

class ByteOutput {
 public:
  explicit ByteOutput(size_t capacity) : buffer_(capacity) { take_over(0); }

  size_t size() const { return static_cast<size_t>(at_ - begin_); }
  char* begin() { return begin_; }
  Bytes take() {
    buffer_.truncate(size());
    begin_ = at_ = end_ = nullptr;
    return buffer_.take();
  }

  // Room for `count` octets; what follows until the next need() does not look.
  void need(size_t count) {
    if (static_cast<size_t>(end_ - at_) < count) grow(count);
  }
  // A literal or another short text.
  void put(std::string_view text) {
    need(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  char* at() { return at_; }
  void move_to(char* at) { at_ = at; }
  void truncate(size_t size) { at_ = begin_ + size; }

  void put_octet(uint8_t octet) { *at_++ = static_cast<char>(octet); }
  void put_varint(uint64_t value) { at_ = write_varint(at_, value); }
  void put_fixed32(uint32_t value) { put_little(value); }
  void put_fixed64(uint64_t value) { put_little(value); }
  // A tag of at most 5 octets, in 8 that can be read.
  void put_tag(const char* tag, size_t size) {
    std::memcpy(at_, tag, 8);
    at_ += size;
  }

  static constexpr size_t kMostVarint = 10;
  static size_t varint_size(uint64_t value) { return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7; }
  static char* write_varint(char* to, uint64_t value) {
    while (value >= 0x80) {
      *to++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *to++ = static_cast<char>(value);
    return to;
  }

  // Begins something whose length stands before it. Give close() what it returns.
  size_t open() {
    need(1);
    ++at_;
    return size();
  }
  // Returns where the content begins now.
  size_t close(size_t start) {
    const size_t length = size() - start;
    const size_t more = varint_size(length) - 1;
    if (more) {
      need(more);
      std::memmove(begin_ + start + more, begin_ + start, length);
      at_ += more;
    }
    write_varint(begin_ + start - 1, length);
    return start + more;
  }

 private:
  template <class T>
  void put_little(T value) {
    if constexpr (std::endian::native == std::endian::big)
      value = sizeof(T) == 8 ? static_cast<T>(__builtin_bswap64(value))
                             : static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void grow(size_t count) {
    const size_t used = size();
    buffer_.truncate(used);
    buffer_.reserve(used + count);
    take_over(used);
  }
  void take_over(size_t used) {
    begin_ = buffer_.data();
    at_ = begin_ + used;
    end_ = begin_ + buffer_.capacity();
  }

  Buffer buffer_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace duplex::contract
