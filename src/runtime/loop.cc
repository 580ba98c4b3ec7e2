#include "duplex/runtime/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "duplex/base/metrics.h"
#include "runtime/coalescer.h"
#include "runtime/timer_wheel.h"

namespace duplex {
namespace {
thread_local Loop* current_loop = nullptr;
}

Loop* Loop::current() { return current_loop; }

Loop::Loop(Options options) : options_(options) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (epoll_ < 0 || wake_ < 0 || timer_ < 0)
    throw std::system_error(errno, std::generic_category(), "an event loop's descriptors");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  event.events = EPOLLIN | EPOLLET;  // each expiry is an event; it is never read
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
  now_ = Clock::now();
  wall_now_ = std::chrono::system_clock::now();
  timers_ = std::make_unique<TimerWheel>(now_);
}

Loop::~Loop() {
  close(timer_);
  close(wake_);
  close(epoll_);
}

void Loop::read_clock() {
  if (!options_.virtual_time) now_ = std::max<Time>(now_, Clock::now());
  wall_now_ = std::chrono::system_clock::now();
}

void Loop::arm(Timer& timer, Time due) { timers_->arm(timer, due); }

bool Loop::watch(int fd, Watch& watch) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watch;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::unwatch(int fd, Watch& watch) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  unwatched_.push_back(&watch);
}

void Loop::post(std::move_only_function<void()> f) {
  // All of it under the lock: what is posted may end the loop, and with it this object.
  std::lock_guard lock(mutex_);
  posted_.push_back(std::move(f));
  if (std::exchange(woken_, true)) return;
  uint64_t one = 1;
  [[maybe_unused]] auto n = write(wake_, &one, sizeof one);
}

void Loop::stop() {
  stopping_ = true;
  post([] {});
}

void Loop::run_posted() {
  std::vector<std::move_only_function<void()>> batch;
  {
    std::lock_guard lock(mutex_);
    woken_ = false;
    batch.swap(posted_);
  }
  for (auto& f : batch) {
    step();
    f();
  }
}

void Loop::drain_ready() {
  // A batch at a time, so that a coroutine that readies itself again and again does not starve the sockets.
  for (int round = 0; round < 64 && !ready_.empty(); ++round) {
    List<Ready, ReadyTag> batch;
    batch.splice(ready_);
    while (!batch.empty()) {
      step();
      batch.pop_front().run();
    }
  }
  List<EndOfTurn, EndOfTurnTag> ending;
  ending.splice(end_of_turn_);
  while (!ending.empty()) ending.pop_front().end_of_turn();
  ending.splice(after_end_of_turn_);
  while (!ending.empty()) ending.pop_front().end_of_turn();
}

void Loop::set_coalescing(Duration pause) {
  coalescer_ = pause > Duration::zero() ? std::make_unique<Coalescer>(pause) : nullptr;
  if (coalescer_) prctl(PR_SET_TIMERSLACK, 1000);  // ns; by default a wait of some microseconds takes 50 more
}

// Counts what the turn has served, and waits if more calls are to share the next one.
void Loop::end_turn() {
  const size_t calls = std::exchange(calls_, 0);
  if (calls && calls_per_turn_) calls_per_turn_->observe(calls);
  if (!coalescer_ || options_.virtual_time) return;
  Duration pause = coalescer_->after_turn(now_, calls);
  if (pause == Duration::zero() || !ready_.empty() || !end_of_turn_.empty() || timers_->next() < now_ + pause) return;
  running_.store(nullptr, std::memory_order_relaxed);
  progress_.store(progress_.load(std::memory_order_relaxed) | 1, std::memory_order_relaxed);
  timespec span{0, static_cast<long>(pause.count())};
  nanosleep(&span, nullptr);
}

// A time limit of epoll_wait's own would be set and taken back in each turn, which a virtual machine pays with two
// exits; this one is touched only when something is due sooner than it, or when it has passed.
void Loop::set_timer() {
  if (timer_set_ <= now_) timer_set_ = kNever;
  const Time next = timers_->next();
  if (next >= timer_set_) return;
  timer_set_ = next;
  const auto ns = std::max<int64_t>(next.time_since_epoch().count(), 1);  // 0 would disarm it
  itimerspec at{};
  at.it_value.tv_sec = ns / 1'000'000'000;
  at.it_value.tv_nsec = ns % 1'000'000'000;
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
}

void Loop::wait() {
  int timeout = -1;
  if (!ready_.empty() || !end_of_turn_.empty() || !after_end_of_turn_.empty()) {
    timeout = 0;
  } else if (!options_.virtual_time) {
    set_timer();
  } else if (timers_->next() != kNever) {
    timeout = 0;
  }
  epoll_event events[256];
  running_.store(nullptr, std::memory_order_relaxed);
  if (timeout != 0) progress_.store(progress_.load(std::memory_order_relaxed) | 1, std::memory_order_relaxed);
  int count = epoll_wait(epoll_, events, 256, timeout);
  progress_.store((progress_.load(std::memory_order_relaxed) & ~uint64_t{1}) + 2, std::memory_order_relaxed);
  read_clock();
  ++turns_;
  bool woken = false;
  unwatched_.clear();
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == this) continue;  // the timer: what is due is fired below
    auto* watch = static_cast<Watch*>(events[i].data.ptr);
    if (!watch) {
      woken = true;
      continue;
    }
    if (!unwatched_.empty() && std::find(unwatched_.begin(), unwatched_.end(), watch) != unwatched_.end()) continue;
    uint32_t what = events[i].events;
    step();
    watch->on_ready(what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR), what & (EPOLLOUT | EPOLLHUP | EPOLLERR),
                    what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
  }
  if (woken) {
    uint64_t value;
    [[maybe_unused]] auto n = read(wake_, &value, sizeof value);
    run_posted();
  }
  if (options_.virtual_time && count == 0 && ready_.empty()) {
    Time next = timers_->next();
    if (next != kNever) now_ = std::max(now_, next);
  }
  timers_->advance(now_);
}

void Loop::run() {
  Loop* outer = std::exchange(current_loop, this);
  read_clock();
  while (!stopping_.load(std::memory_order_relaxed)) {
    drain_ready();
    if (stopping_.load(std::memory_order_relaxed)) break;
    end_turn();
    wait();
  }
  drain_ready();  // frames that ended with the last task are freed from here
  stopping_ = false;
  running_.store(nullptr, std::memory_order_relaxed);
  progress_.store(progress_.load(std::memory_order_relaxed) | 1, std::memory_order_relaxed);  // no longer at work
  current_loop = outer;
}

}  // namespace duplex
