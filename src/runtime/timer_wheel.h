// A hierarchical timing wheel (Varghese and Lauck, 1987): 4 levels of 256 slots, 1 ms a tick; O(1) to arm and disarm.
#pragma once

#include <cstdint>

#include "duplex/runtime/loop.h"

namespace duplex {

class TimerWheel {
 public:
  explicit TimerWheel(Time start) : start_(start) {}

  void arm(Timer& timer, Time due);
  // Fires what is due. A timer armed meanwhile with a past time fires in the next call.
  void advance(Time now);
  // A time not after the next timer's, and not more than one round of the lowest level ahead; kNever if there is none.
  Time next() const;

 private:
  using Slot = List<Timer, TimerTag>;
  static constexpr int kLevels = 4, kBits = 8, kSlots = 1 << kBits;

  uint64_t tick_of(Time due) const;  // rounded up
  Time time_of(uint64_t tick) const { return start_ + std::chrono::milliseconds(tick); }
  void place(Timer& timer);
  void cascade(int level);

  const Time start_;
  uint64_t tick_ = 0;  // all ticks up to here have fired
  Slot slots_[kLevels][kSlots];
};

}  // namespace duplex
