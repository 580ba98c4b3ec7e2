// Time: one monotonic clock for everything that waits, the wall clock for what is shown.
#pragma once

#include <chrono>
#include <string>

namespace duplex {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::nanoseconds;
using Time = std::chrono::time_point<Clock, Duration>;

inline constexpr Time kNever = Time::max();

// `from + span` that stops at kNever instead of overflowing.
inline Time after(Time from, Duration span) { return span > kNever - from ? kNever : from + span; }

// "2026-11-24T16:32:17.123456Z" (RFC 3339) of a wall-clock time.
std::string rfc3339(std::chrono::system_clock::time_point when);

// "250ms", "1.5s", "2m" for people.
std::string show_duration(Duration span);

}  // namespace duplex
