#include "duplex/resilience/breaker.h"

#include <algorithm>

namespace duplex::resilience {
namespace {

uint32_t count(int64_t n) { return static_cast<uint32_t>(std::clamp<int64_t>(n, 0, UINT32_MAX)); }

std::optional<double> share(uint32_t part, uint32_t whole) {
  return whole ? std::optional(static_cast<double>(part) / whole) : std::nullopt;
}

}  // namespace

std::string_view state_name(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::kClosed:
      return "closed";
    case CircuitBreaker::State::kOpen:
      return "open";
    case CircuitBreaker::State::kHalfOpen:
      return "half_open";
  }
  return "";
}

std::string CircuitBreaker::Opening::text() const {
  const std::string of_calls = " of " + std::to_string(counts.calls) + (counts.calls == 1 ? " call" : " calls");
  switch (why) {
    case Why::kNever:
      break;
    case Why::kFailureRate:
      return std::to_string(counts.failed) + of_calls + " failed";
    case Why::kSlowRate:
      return std::to_string(counts.slow) + of_calls + " took longer than " + show_duration(slow_call);
    case Why::kConsecutive:
      return std::to_string(counts.failed) + (counts.failed == 1 ? " failure" : " failures in a row");
    case Why::kProbesLate:
      return "its probes did not end in time";
  }
  return "";
}

CircuitBreaker::Rules::Rules(const BreakerSettings& s)
    : window(s.window),
      failure_rate(s.failure_rate),
      slow_rate(s.slow_rate),
      minimum(std::max(1u, count(s.window.calls ? std::min(s.minimum, s.window.calls) : s.minimum))),
      consecutive(count(s.consecutive)),
      probes(std::max(1u, count(s.probes))),
      slow_call(s.slow_call),
      open_for(s.open_for),
      half_open_for(s.half_open_for) {}

CircuitBreaker::CircuitBreaker(const BreakerSettings& settings)
    : slow_call_(settings.slow_call.count()), rules_(settings), window_(settings.window) {}

void CircuitBreaker::set(const BreakerSettings& settings) {
  CallWindow window(settings.window);  // outside the lock, as it allocates; so is what it replaces freed
  std::lock_guard lock(lock_);
  take_good_calls();  // by other rules the next one may open it
  if (rules_.window != settings.window) std::swap(window_, window);
  rules_ = Rules(settings);
  slow_call_.store(settings.slow_call.count(), std::memory_order_relaxed);
}

void CircuitBreaker::enter(State state, Time now) {
  constexpr uint64_t kStep = 4;
  const uint64_t word = word_.load(std::memory_order_relaxed) & ~uint64_t{3};
  word_.store((word + kStep) | static_cast<uint64_t>(state), std::memory_order_release);
  since_ = now;
}

void CircuitBreaker::open(Opening::Why why, const CallCounts& counts, Time now) {
  opening_ = {why, counts, rules_.slow_call};
  enter(State::kOpen, now);
}

// Half-open for too long?
bool CircuitBreaker::late(Time now) const {
  return state() == State::kHalfOpen && rules_.half_open_for > Duration::zero() &&
         now >= after(since_, rules_.half_open_for);
}

CircuitBreaker::Admission CircuitBreaker::try_acquire_not_closed(Time now) {
  std::lock_guard lock(lock_);
  Admission admission;
  if (late(now)) {
    open(Opening::Why::kProbesLate, probed_, after(since_, rules_.half_open_for));
    admission.changes.opened = true;
  }
  if (state() == State::kOpen && now > after(since_, rules_.open_for)) {
    enter(State::kHalfOpen, now);
    probes_ = free_probes_ = rules_.probes;
    probed_ = {};
    admission.changes.half_opened = true;
  }
  // It may have been closed meanwhile by another thread.
  admission.admitted = state() == State::kClosed || (state() == State::kHalfOpen && free_probes_ > 0);
  if (!admission.admitted) {
    ++refused_;
  } else {
    admission.permit = Permit(word_.load(std::memory_order_relaxed));
    if (state() == State::kHalfOpen) --free_probes_;
  }
  return admission;
}

// They go into the window; further ones come to record_locked() until count_good_calls_apart(). One whose thread is
// about to count it is taken the next time.
inline void CircuitBreaker::take_good_calls() {
  if (counted_apart_.load(std::memory_order_relaxed) == kNothing) return;
  counted_apart_.store(kNothing, std::memory_order_relaxed);
  const uint64_t all = good_calls_.value();
  if (all == good_calls_taken_) return;
  window_.add_good(all - good_calls_taken_);
  good_calls_taken_ = all;
  in_a_row_ = 0;
}

// After a call that opened nothing: where enough calls are in the window, one more good one can but lower its shares.
inline void CircuitBreaker::count_good_calls_apart() {
  if (!window_.counts_calls() || window_.counts().calls < rules_.minimum) return;
  const uint64_t word = word_.load(std::memory_order_relaxed);
  counted_apart_.store(word | (window_.all_good() ? kAllGood : 0), std::memory_order_release);
}

inline CircuitBreaker::Changes CircuitBreaker::record_closed(bool failed, Duration took, Time now) {
  take_good_calls();
  window_.add(failed, took > rules_.slow_call, now);
  in_a_row_ = failed ? in_a_row_ + 1 : 0;
  const CallCounts& counts = window_.counts();
  if (counts.calls >= rules_.minimum) {
    const Opening::Why why = rules_.exceeded(counts);
    if (why != Opening::Why::kNever) {
      open(why, counts, now);
      return {.opened = true};
    }
  }
  if (rules_.consecutive && in_a_row_ >= rules_.consecutive) {
    open(Opening::Why::kConsecutive, {in_a_row_, in_a_row_, 0}, now);
    return {.opened = true};
  }
  count_good_calls_apart();
  return {};
}

CircuitBreaker::Changes CircuitBreaker::record_locked(Permit permit, Verdict verdict, Duration took, Time now) {
  if (verdict == Verdict::kUncounted && state_of(permit.generation) == State::kClosed) return {};
  std::lock_guard lock(lock_);
  if (permit.generation != word_.load(std::memory_order_relaxed)) return {};
  if (state() == State::kClosed) [[likely]]
    return record_closed(verdict == Verdict::kFailed, took, now);
  return record_probe(verdict, took, now);
}

CircuitBreaker::Changes CircuitBreaker::record_probe(Verdict verdict, Duration took, Time now) {
  if (late(now)) {
    open(Opening::Why::kProbesLate, probed_, after(since_, rules_.half_open_for));
    return {.opened = true};
  }
  if (verdict == Verdict::kUncounted) {
    ++free_probes_;
    return {};
  }
  ++probed_.calls;
  probed_.failed += verdict == Verdict::kFailed;
  probed_.slow += took > rules_.slow_call;
  if (probed_.calls < probes_) return {};
  const Opening::Why why = rules_.exceeded(probed_);
  if (why != Opening::Why::kNever) {
    open(why, probed_, now);
    return {.opened = true};
  }
  window_.clear();
  good_calls_taken_ = good_calls_.value();  // who counted only now was let through before it opened
  in_a_row_ = 0;
  enter(State::kClosed, now);
  return {.closed = true};
}

CircuitBreaker::Snapshot CircuitBreaker::snapshot(Time now) {
  std::lock_guard lock(lock_);
  if (counted_apart_.load(std::memory_order_relaxed) != kNothing) {
    take_good_calls();
    count_good_calls_apart();
  }
  Snapshot s;
  s.state = state();
  s.since = since_;
  s.refused = refused_;
  s.opening = opening_;
  if (late(now)) {  // shown as the next call will find it
    s.state = State::kOpen;
    s.since = after(since_, rules_.half_open_for);
    s.opening = {Opening::Why::kProbesLate, probed_, rules_.slow_call};
  }
  uint32_t needed = 1;
  switch (s.state) {
    case State::kClosed:
      s.counts = window_.counts(now);
      s.in_a_row = in_a_row_;
      needed = rules_.minimum;
      break;
    case State::kOpen:
      s.counts = s.opening.counts;
      s.next_change = after(s.since, rules_.open_for);
      break;
    case State::kHalfOpen:
      s.counts = probed_;
      s.probes_left = free_probes_;
      needed = probes_;
      if (rules_.half_open_for > Duration::zero()) s.next_change = after(since_, rules_.half_open_for);
      break;
  }
  if (s.counts.calls >= needed) {
    s.failure_rate = share(s.counts.failed, s.counts.calls);
    s.slow_rate = share(s.counts.slow, s.counts.calls);
  }
  return s;
}

}  // namespace duplex::resilience
