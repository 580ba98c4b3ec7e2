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

namespace duplex {
namespace {

void* plain_allocate(size_t size) {
  void* block = std::malloc(size);
  if (!block) throw std::bad_alloc();
  return block;
}

#ifndef DUPLEX_PLAIN_MALLOC
constexpr size_t kStep = 64, kLargest = 4096, kClasses = kLargest / kStep;
constexpr size_t kKeptBytes = 1 << 20;  // a class keeps at most this much

struct Node {
  Node* next;
};

struct Lists {
  Node* head[kClasses] = {};
  size_t count[kClasses] = {};
  ~Lists();
};

// Trivially destructible, so that it can be asked after the thread's Lists are gone.
thread_local bool lists_gone = false;
thread_local Lists lists;

Lists::~Lists() {
  lists_gone = true;
  for (Node* node : head) {
    while (node) {
      Node* next = node->next;
      std::free(node);
      node = next;
    }
  }
}
#endif

}  // namespace

#ifdef DUPLEX_PLAIN_MALLOC
void* free_list_allocate(size_t size) { return plain_allocate(size); }
void free_list_release(void* block, size_t) noexcept { std::free(block); }
#else
void* free_list_allocate(size_t size) {
  if (size == 0) size = 1;
  if (size > kLargest || lists_gone) return plain_allocate(size);
  size_t index = (size - 1) / kStep;
  if (Node* node = lists.head[index]) {
    lists.head[index] = node->next;
    --lists.count[index];
    return node;
  }
  return plain_allocate((index + 1) * kStep);
}

void free_list_release(void* block, size_t size) noexcept {
  if (size == 0) size = 1;
  if (size > kLargest || lists_gone) return std::free(block);
  size_t index = (size - 1) / kStep;
  if (lists.count[index] * (index + 1) * kStep >= kKeptBytes) return std::free(block);
  Node* node = static_cast<Node*>(block);
  node->next = lists.head[index];
  lists.head[index] = node;
  ++lists.count[index];
}
#endif

}  // namespace duplex
