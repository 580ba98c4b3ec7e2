// LoopLog: the lines of one loop, written by one system call at the end of its turns, when the answers have left: at
// once after a quiet time, and then once in `flush_after` while lines keep coming. An error's line is never held back.
#pragma once

#include "duplex/base/log.h"
#include "duplex/runtime/loop.h"

namespace duplex {

class LoopLog final : private EndOfTurn, private Timer {
 public:
  // flush_after: how long a line may wait for others; 0: no longer than to the end of the turn.
  LoopLog(Loop& loop, Logger& logger, Duration flush_after) : loop_(loop), buffer_(logger), flush_after_(flush_after) {}
  LoopLog(const LoopLog&) = delete;
  LoopLog& operator=(const LoopLog&) = delete;

  bool enabled(LogLevel level) const { return buffer_.logger().enabled(level); }
  // On the loop's thread. The line's time is that of the turn.
  LogLine line(LogLevel level, std::string_view message) {
    if (level == LogLevel::kError || loop_.now() - last_flush_ >= flush_after_)
      loop_.after_end_of_turn(*this);
    else if (!armed())
      loop_.arm(*this, after(last_flush_, flush_after_));
    return buffer_.line(level, loop_.wall_now(), message);
  }

 private:
  void end_of_turn() override { flush(); }
  void fire() override { flush(); }
  void flush() {
    disarm();
    last_flush_ = loop_.now();
    buffer_.flush();
    // The reader is stalled: ask again, also if no further line comes.
    if (!buffer_.empty()) loop_.arm(*this, after(loop_.now(), std::chrono::milliseconds(100)));
  }
  Loop& loop_;
  LogBuffer buffer_;
  const Duration flush_after_;
  Time last_flush_{};
};

}  // namespace duplex
