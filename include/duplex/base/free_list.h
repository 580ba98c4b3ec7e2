// A free list a thread for small blocks that come and go with every call: coroutine frames, streams, buffers.
//
// Plain malloc costs half of the margin on the way of a call. Blocks up to 4 KiB are kept in lists of their thread, by
// size; larger ones go to malloc. A block may be freed on another thread: it joins that thread's list. Builds with a
// sanitizer use malloc throughout, so that a use after free is seen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace duplex {

namespace detail {

// A list a class of sizes. `room` is how many more blocks it may keep; 0 before the thread's first block and after its
// last, so that the slow path is the only one that has to know of a thread's start and end.
struct FreeLists {
  static constexpr size_t kStep = 64, kLargest = 4096, kClasses = kLargest / kStep;
  struct Node {
    Node* next;
  };
  struct Class {
    Node* head;
    size_t room;
  };
  Class classes[kClasses];
};
extern constinit thread_local FreeLists free_lists;
void* free_list_allocate_slowly(size_t size);
void free_list_release_slowly(void* block, size_t size) noexcept;

}  // namespace detail

inline void* free_list_allocate(size_t size) {
  using detail::FreeLists;
  size_t index = (size - 1) / FreeLists::kStep;  // of 0: none
  if (index < FreeLists::kClasses) {
    FreeLists::Class& kept = detail::free_lists.classes[index];
    if (FreeLists::Node* node = kept.head) {
      kept.head = node->next;
      ++kept.room;
      return node;
    }
  }
  return detail::free_list_allocate_slowly(size);
}

inline void free_list_release(void* block, size_t size) noexcept {
  using detail::FreeLists;
  size_t index = (size - 1) / FreeLists::kStep;
  if (index < FreeLists::kClasses) {
    FreeLists::Class& kept = detail::free_lists.classes[index];
    if (kept.room > 0) {
      auto* node = static_cast<FreeLists::Node*>(block);
      node->next = kept.head;
      kept.head = node;
      --kept.room;
      return;
    }
  }
  detail::free_list_release_slowly(block, size);
}

}  // namespace duplex
