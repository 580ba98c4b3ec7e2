#include "duplex/base/free_list.h"

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DUPLEX_PLAIN_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DUPLEX_PLAIN_MALLOC 1
#endif
#endif

namespace duplex::detail {

constinit thread_local FreeLists free_lists{};

namespace {

#ifdef DUPLEX_PLAIN_MALLOC
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif
constexpr size_t kKeptBytes = 1 << 20;  // a class keeps at most this much

enum class State : uint8_t { kNew, kOpen, kGone };
constinit thread_local State state = State::kNew;

// Gives back what the thread has kept when it ends.
struct Keeper {
  Keeper() {
    state = State::kOpen;
    for (size_t i = 0; i < FreeLists::kClasses; ++i)
      free_lists.classes[i].room = kKeptBytes / ((i + 1) * FreeLists::kStep);
  }
  ~Keeper() {
    state = State::kGone;
    for (FreeLists::Class& kept : free_lists.classes) {
      kept.room = 0;
      while (FreeLists::Node* node = kept.head) {
        kept.head = node->next;
        std::free(node);
      }
    }
  }
};

}  // namespace

void* free_list_allocate_slowly(size_t size) {
  if (size == 0) size = 1;
  // In whole steps, whoever frees it: it may join a list.
  if (size <= FreeLists::kLargest) size = (size + FreeLists::kStep - 1) / FreeLists::kStep * FreeLists::kStep;
  void* block = std::malloc(size);
  if (!block) throw std::bad_alloc();
  return block;
}

void free_list_release_slowly(void* block, size_t size) noexcept {
  if (kKeeps && state == State::kNew && size > 0 && size <= FreeLists::kLargest) {
    static thread_local Keeper keeper;
    static_cast<void>(keeper);
    return free_list_release(block, size);
  }
  std::free(block);
}

}  // namespace duplex::detail
