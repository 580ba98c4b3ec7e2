#include "runtime/timer_wheel.h"

namespace duplex {

uint64_t TimerWheel::tick_of(Time due) const {
  if (due <= start_) return 0;
  auto ns = static_cast<uint64_t>((due - start_).count());
  return (ns + 999'999) / 1'000'000;
}

void TimerWheel::arm(Timer& timer, Time due) {
  timer.unlink();
  timer.set_due(due);
  place(timer);
}

void TimerWheel::place(Timer& timer) {
  uint64_t due = tick_of(timer.due());
  if (due <= tick_) due = tick_ + 1;
  uint64_t ahead = due - tick_;
  constexpr uint64_t kFarthest = (uint64_t{1} << (kLevels * kBits)) - 1;
  if (ahead > kFarthest) due = tick_ + kFarthest;  // placed again when that slot comes
  int level = 0;
  while (level < kLevels - 1 && (due >> (level * kBits)) - (tick_ >> (level * kBits)) >= kSlots) ++level;
  slots_[level][(due >> (level * kBits)) & (kSlots - 1)].push_back(timer);
}

void TimerWheel::cascade(int level) {
  Slot moving;
  moving.splice(slots_[level][(tick_ >> (level * kBits)) & (kSlots - 1)]);
  while (!moving.empty()) {
    Timer& timer = moving.pop_front();
    if (tick_of(timer.due()) <= tick_)
      slots_[0][tick_ & (kSlots - 1)].push_back(timer);
    else
      place(timer);
  }
}

void TimerWheel::advance(Time now) {
  if (now <= start_) return;
  uint64_t target = static_cast<uint64_t>((now - start_).count()) / 1'000'000;
  while (tick_ < target) {
    ++tick_;
    for (int level = 1; level < kLevels; ++level) {
      if (tick_ & ((uint64_t{1} << (level * kBits)) - 1)) break;
      cascade(level);
    }
    Slot due;
    due.splice(slots_[0][tick_ & (kSlots - 1)]);
    while (!due.empty()) due.pop_front().fire();
  }
}

Time TimerWheel::next() const {
  for (uint64_t ahead = 1; ahead <= kSlots; ++ahead) {
    uint64_t tick = tick_ + ahead;
    if (!slots_[0][tick & (kSlots - 1)].empty()) return time_of(tick);
    if ((tick & (kSlots - 1)) == 0) {  // what stands above may come down here
      for (int level = 1; level < kLevels; ++level)
        for (const Slot& slot : slots_[level])
          if (!slot.empty()) return time_of(tick);
    }
  }
  return kNever;
}

}  // namespace duplex
