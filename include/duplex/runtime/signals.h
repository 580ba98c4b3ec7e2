// The process's signals as a wait: SIGTERM and SIGINT ask for a graceful stop.
#pragma once

#include <initializer_list>

#include "duplex/runtime/channel.h"

namespace duplex {

// Takes the given signals for the whole process while it lives. One at a time.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> numbers);
  ~Signals();
  Signals(const Signals&) = delete;
  // The number of the next signal that arrives, or why ctx was cancelled.
  Task<Result<int>> next(Context& ctx);

 private:
  struct State;
  State* state_;
};

}  // namespace duplex
