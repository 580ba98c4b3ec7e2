#include "duplex/runtime/watchdog.h"

#include <algorithm>

namespace duplex {

Watchdog::Watchdog(Report report, Duration limit)
    : report_(std::move(report)), limit_(limit), thread_([this](std::stop_token) { watch(); }) {}

Watchdog::~Watchdog() {
  thread_.request_stop();
  wake_.notify_all();
}

void Watchdog::add(Loop& loop) {
  std::lock_guard lock(mutex_);
  loops_.push_back({&loop});
}

void Watchdog::remove(Loop& loop) {
  std::lock_guard lock(mutex_);
  std::erase_if(loops_, [&](const Seen& s) { return s.loop == &loop; });
}

void Watchdog::watch() {
  std::stop_token stop = thread_.get_stop_token();
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, limit_ / 4, [] { return false; });
    Time now = Clock::now();
    for (Seen& seen : loops_) {
      uint64_t progress = seen.loop->progress();
      if (progress != seen.progress) {
        seen.progress = progress;
        seen.since = now;
        seen.reported = false;
        continue;
      }
      if (progress & 1 || seen.reported || now - seen.since < limit_) continue;  // odd: it waits for work
      seen.reported = true;
      const std::string_view* label = seen.loop->running();
      report_(label ? *label : std::string_view("(no method)"), now - seen.since);
    }
  }
}

}  // namespace duplex
