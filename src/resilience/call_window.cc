#include "duplex/resilience/call_window.h"

#include <algorithm>

namespace duplex::resilience {
namespace {

int64_t second_of(Time now) { return std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count(); }

void subtract(CallCounts& from, const CallCounts& what) {
  from.calls -= what.calls;
  from.failed -= what.failed;
  from.slow -= what.slow;
}

}  // namespace

CallWindow::CallWindow(Window window) {
  if (window.calls > 0)
    calls_.resize(static_cast<size_t>(window.calls));
  else
    seconds_.resize(static_cast<size_t>(std::max<int64_t>(window.time / std::chrono::seconds(1), 1)));
}

void CallWindow::add_by_time(bool failed, bool slow, Time now) {
  const int64_t second = second_of(now);
  if (second > second_) {
    const size_t passed = static_cast<size_t>(std::min<int64_t>(second - second_, std::ssize(seconds_)));
    for (size_t i = 0; i < passed; ++i) {
      if (++next_ == seconds_.size()) next_ = 0;
      subtract(total_, seconds_[next_]);
      seconds_[next_] = {};
    }
    second_ = second;
  }
  for (CallCounts* counts : {&total_, &seconds_[next_]}) {
    ++counts->calls;
    counts->failed += failed;
    counts->slow += slow;
  }
}

void CallWindow::add_good(uint64_t count) {
  for (uint64_t i = std::min<uint64_t>(count, calls_.size()); i > 0; --i) add_by_count(false, false);
}

CallCounts CallWindow::counts(Time now) const {
  CallCounts left = total_;
  if (!calls_.empty()) return left;
  const int64_t passed = std::clamp<int64_t>(second_of(now) - second_, 0, std::ssize(seconds_));
  for (size_t i = 1; i <= static_cast<size_t>(passed); ++i) subtract(left, seconds_[(next_ + i) % seconds_.size()]);
  return left;
}

void CallWindow::clear() {
  total_ = {};
  next_ = 0;
  std::fill(seconds_.begin(), seconds_.end(), CallCounts{});
}

}  // namespace duplex::resilience
