// The stall watchdog: names the method that holds a loop for more than 50 ms. A thread beside the loops looks at a
// counter that each resumption moves: no clock is read on the way of a call.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "duplex/runtime/loop.h"

namespace duplex {

class Watchdog {
 public:
  // Called from the watchdog's thread, once a stall: the method's label and how long it has held the loop so far.
  using Report = std::function<void(std::string_view method, Duration held)>;
  explicit Watchdog(Report report, Duration limit = std::chrono::milliseconds(50));
  ~Watchdog();

  // Loops must outlive the watchdog or be removed.
  void add(Loop& loop);
  void remove(Loop& loop);

 private:
  struct Seen {
    Loop* loop;
    uint64_t progress = 1;
    Time since{};
    bool reported = false;
  };
  void watch();
  const Report report_;
  const Duration limit_;
  std::mutex mutex_;
  std::vector<Seen> loops_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace duplex
