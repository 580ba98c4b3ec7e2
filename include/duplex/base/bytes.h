// Bytes: shared, immutable bytes; a copy is a count. Buffer: bytes being made, which become Bytes without a copy.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "duplex/base/free_list.h"

namespace duplex {

namespace detail {
struct Block {  // the bytes follow it
  std::atomic<uint32_t> refs{1};
  uint32_t reserved = 0;
  size_t capacity;
  explicit Block(size_t c) : capacity(c) {}
  char* data() { return reinterpret_cast<char*>(this + 1); }
  static Block* make(size_t capacity) { return new (free_list_allocate(sizeof(Block) + capacity)) Block(capacity); }
  static void drop(Block* block) noexcept {
    if (!block) return;
    if (block->refs.load(std::memory_order_acquire) != 1 && block->refs.fetch_sub(1, std::memory_order_acq_rel) != 1)
      return;
    free_list_release(block, sizeof(Block) + block->capacity);
  }
};
}  // namespace detail

class Bytes {
 public:
  Bytes() = default;
  static Bytes copy(std::string_view text) {
    Bytes b;
    if (text.empty()) return b;
    b.block_ = detail::Block::make(text.size());
    std::memcpy(b.block_->data(), text.data(), text.size());
    b.data_ = b.block_->data();
    b.size_ = text.size();
    return b;
  }
  // Bytes that live for ever, such as a literal: not copied, not counted.
  static Bytes literal(std::string_view text) {
    Bytes b;
    b.data_ = text.data();
    b.size_ = text.size();
    return b;
  }

  Bytes(const Bytes& o) : block_(o.block_), data_(o.data_), size_(o.size_) {
    if (block_) block_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Bytes(Bytes&& o) noexcept
      : block_(std::exchange(o.block_, nullptr)), data_(std::exchange(o.data_, "")), size_(std::exchange(o.size_, 0)) {}
  Bytes& operator=(Bytes o) noexcept {
    std::swap(block_, o.block_);
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~Bytes() { detail::Block::drop(block_); }

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  std::string to_string() const { return std::string(view()); }

  // A part of these bytes, sharing their memory. `from + count` must lie within.
  Bytes slice(size_t from, size_t count) const {
    Bytes b(*this);
    b.data_ += from;
    b.size_ = count;
    return b;
  }
  void remove_prefix(size_t count) {
    data_ += count;
    size_ -= count;
  }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view() == b.view(); }

 private:
  friend class Buffer;
  detail::Block* block_ = nullptr;  // null: empty or literal
  const char* data_ = "";
  size_t size_ = 0;
};

// Grows by doubling. Not shared; `take()` hands what is in it over as Bytes and leaves it empty.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t capacity) { reserve(capacity); }
  Buffer(Buffer&& o) noexcept : block_(std::exchange(o.block_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  Buffer& operator=(Buffer&& o) noexcept {
    std::swap(block_, o.block_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~Buffer() { detail::Block::drop(block_); }

  char* data() { return block_ ? block_->data() : nullptr; }
  const char* data() const { return block_ ? block_->data() : nullptr; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return block_ ? block_->capacity : 0; }
  std::string_view view() const { return {data(), size_}; }

  void clear() { size_ = 0; }
  void reserve(size_t capacity) {
    if (capacity > this->capacity()) grow(capacity);
  }
  // Room for `count` bytes at the end, to be written by the caller; they count as written.
  char* extend(size_t count) {
    if (size_ + count > capacity()) grow(size_ + count);
    char* at = block_->data() + size_;
    size_ += count;
    return at;
  }
  void truncate(size_t size) { size_ = size; }
  void append(std::string_view text) {
    if (!text.empty()) std::memcpy(extend(text.size()), text.data(), text.size());
  }
  void append(char c) { *extend(1) = c; }
  // Drops `count` bytes at the front (moves the rest).
  void consume(size_t count) {
    size_ -= count;
    if (size_) std::memmove(block_->data(), block_->data() + count, size_);
  }
  Bytes take() {
    Bytes b;
    if (size_) {
      b.block_ = std::exchange(block_, nullptr);
      b.data_ = b.block_->data();
      b.size_ = std::exchange(size_, 0);
    }
    return b;
  }

 private:
  void grow(size_t least) {
    size_t capacity = block_ ? block_->capacity : 48;  // 48 + a Block's 16 is one step of the free list
    while (capacity < least) capacity = capacity * 2 + sizeof(detail::Block);
    detail::Block* bigger = detail::Block::make(capacity);
    if (size_) std::memcpy(bigger->data(), block_->data(), size_);
    detail::Block::drop(block_);
    block_ = bigger;
  }
  detail::Block* block_ = nullptr;
  size_t size_ = 0;
};

}  // namespace duplex
