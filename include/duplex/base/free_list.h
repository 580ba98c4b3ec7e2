// A free list a thread for small blocks that come and go with every call: coroutine frames, streams, buffers.
//
// Plain malloc costs half of the margin on the way of a call. Blocks up to 4 KiB are kept in lists of their thread, by
// size; larger ones go to malloc. A block may be freed on another thread: it joins that thread's list. Builds with a
// sanitizer use malloc throughout, so that a use after free is seen.
#pragma once

#include <cstddef>

namespace duplex {

void* free_list_allocate(size_t size);
void free_list_release(void* block, size_t size) noexcept;

}  // namespace duplex
