// SpinLock: for a section of a few nanoseconds that all loops come to, and nothing else: no wait, no allocation and no
// call into the system inside. Where nobody else is in it, it costs one locked instruction; a std::mutex costs two.
#pragma once

#include <atomic>
#include <thread>

namespace duplex {

class SpinLock {
 public:
  SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  [[gnu::noinline, gnu::cold]] void wait() const {
    constexpr int kTries = 100;
    for (int i = 0; locked_.load(std::memory_order_relaxed); ++i) {
      // Its owner is surely not running: on one core it waits for this thread's turn to end.
      if (i >= kTries) std::this_thread::yield();
    }
  }
  std::atomic<bool> locked_{false};
};

}  // namespace duplex
