// CallWindow: how many of the last calls failed and how many were slow; the last so many calls, or those of the last so
// many seconds.
#pragma once

#include <cstdint>
#include <vector>

#include "duplex/base/time.h"

namespace duplex::resilience {

// What a breaker looks back on: exactly one of the two.
struct Window {
  int64_t calls = 100;  // the last so many; 0: by time
  Duration time{};      // the calls of the last so many whole seconds, the one that has just begun included
  friend bool operator==(const Window&, const Window&) = default;
};

struct CallCounts {
  uint32_t calls = 0;
  uint32_t failed = 0;
  uint32_t slow = 0;  // those that failed slowly included
  friend bool operator==(const CallCounts&, const CallCounts&) = default;
};

// A second leaves a window of time as a whole, when it is as old as the window is long (Resilience4j's TIME_BASED
// window). A `now` that is earlier than one seen before, as loops that read the clock at different times have it,
// counts for the latest second that was seen. Not thread-safe.
class CallWindow {
 public:
  explicit CallWindow(Window window);

  void add(bool failed, bool slow, Time now) {
    if (calls_.empty())
      add_by_time(failed, slow, now);
    else
      add_by_count(failed, slow);
  }
  // So many good calls, to a window of calls.
  void add_good(uint64_t count);
  bool counts_calls() const { return !calls_.empty(); }
  // Of the window as it was at the last add().
  const CallCounts& counts() const { return total_; }
  // Of the window as it is now.
  CallCounts counts(Time now) const;
  // One more good call would change nothing: it counts calls, is full, and knows of good ones only.
  bool all_good() const { return total_.calls == calls_.size() && !total_.failed && !total_.slow && total_.calls; }
  void clear();

 private:
  static constexpr uint8_t kFailed = 1, kSlow = 2;

  void add_by_count(bool failed, bool slow) {
    uint8_t& oldest = calls_[next_];
    if (total_.calls == calls_.size()) {
      total_.failed -= (oldest & kFailed) != 0;
      total_.slow -= (oldest & kSlow) != 0;
    } else {
      ++total_.calls;
    }
    total_.failed += failed;
    total_.slow += slow;
    oldest = static_cast<uint8_t>((failed ? kFailed : 0) | (slow ? kSlow : 0));
    if (++next_ == calls_.size()) next_ = 0;
  }
  void add_by_time(bool failed, bool slow, Time now);

  CallCounts total_;
  size_t next_ = 0;             // where the next call goes; by time: the bucket of second_
  std::vector<uint8_t> calls_;  // a ring, an octet a call; empty: by time
  std::vector<CallCounts> seconds_;
  int64_t second_ = 0;  // the latest
};

}  // namespace duplex::resilience
