// Loop: one thread's event loop. One loop a core, nothing shared on the way of a call.
//
// A turn is: run the ready list until it is empty, run what asked for the end of the turn (a connection's one write,
// then the log's), wait for readiness, read the clock, fire timers. Only the ready list resumes a parked coroutine
// (law 7): whoever wakes one puts it there. The reactor is epoll itself, in loop.cc and nowhere else.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "duplex/base/list.h"
#include "duplex/base/time.h"

namespace duplex {

class Loop;

// Something the loop runs once, soon, on its own thread.
struct ReadyTag : ListNode {};
class Ready : public ReadyTag {
 public:
  virtual void run() = 0;

 protected:
  ~Ready() = default;
};

// Something that runs when the ready list has become empty, before the loop waits. Asked for anew each turn.
struct EndOfTurnTag : ListNode {};
class EndOfTurn : public EndOfTurnTag {
 public:
  virtual void end_of_turn() = 0;

 protected:
  ~EndOfTurn() = default;
};

// A timer: armed and disarmed in a few ns, 1 ms fine, never early. Leaves the wheel when destroyed.
struct TimerTag : ListNode {};
class Timer : public TimerTag {
 public:
  virtual void fire() = 0;
  Time due() const { return due_; }
  void set_due(Time due) { due_ = due; }  // for the wheel; arming is the loop's
  bool armed() const { return linked(); }
  void disarm() { unlink(); }

 protected:
  ~Timer() = default;

 private:
  Time due_{};
};

class Coalescer;
class Histogram;
class TimerWheel;
class Scope;

// Readiness of one file descriptor, edge-triggered: on_ready comes again only after an attempt that met EAGAIN.
class Watch {
 public:
  // hangup: the other side has closed its half, or the socket has failed; read until it says so.
  virtual void on_ready(bool readable, bool writable, bool hangup) = 0;

 protected:
  ~Watch() = default;
};

class Loop {
 public:
  struct Options {
    bool virtual_time = false;  // for tests: when nothing is ready, the clock jumps to the next timer
  };
  explicit Loop(Options options);
  Loop() : Loop(Options{}) {}
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The loop that runs on this thread; null on other threads.
  static Loop* current();

  // Runs turns on this thread until stop(). What is posted after stop() is not run.
  void run();
  void stop();  // from any thread

  // The clock, read once a turn.
  Time now() const { return now_; }
  std::chrono::system_clock::time_point wall_now() const { return wall_now_; }

  // From any thread: f runs on this loop, soon.
  void post(std::move_only_function<void()> f);

  // The rest is for this loop's own thread.
  void ready(Ready& item) {
    if (!item.linked()) ready_.push_back(item);
  }
  void at_end_of_turn(EndOfTurn& item) {
    if (!item.linked()) end_of_turn_.push_back(item);
  }
  // After those above: what nobody waits for, such as a log's write.
  void after_end_of_turn(EndOfTurn& item) {
    if (!item.linked()) after_end_of_turn_.push_back(item);
  }
  void arm(Timer& timer, Time due);  // at once if due has passed; armed again: moved
  // Watches fd for reading and writing until unwatch(). Never owns it. False (and errno) if the system refuses.
  bool watch(int fd, Watch& watch);
  void unwatch(int fd, Watch& watch);

  // What runs now, for the stall watchdog: a string that outlives the loop. Any thread may read both.
  void set_running(const std::string_view* label) { running_.store(label, std::memory_order_relaxed); }
  const std::string_view* running() const { return running_.load(std::memory_order_relaxed); }
  // Odd while the loop waits; changes with each resumption.
  uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }

  uint64_t turns() const { return turns_; }

  // A call has come in: turns know how many they serve.
  void count_call() { ++calls_; }
  // Under load, a pause between turns so that more calls share each (src/runtime/coalescer.h). 0, the default: none.
  void set_coalescing(Duration pause);
  // Is told how many calls each turn that served any has served; null: nobody. It outlives the loop.
  void set_calls_per_turn(Histogram* histogram) { calls_per_turn_ = histogram; }

  // Tasks that serve the loop itself, such as the keeper of a connection pool: cancelled when its own work has ended.
  // Null on a loop that nobody gave one.
  Scope* background() const { return background_; }
  void set_background(Scope* scope) { background_ = scope; }

 private:
  void drain_ready();
  void run_posted();
  void end_turn();
  void set_timer();
  void wait();
  void read_clock();
  void step() { progress_.store(progress_.load(std::memory_order_relaxed) + 2, std::memory_order_relaxed); }

  const Options options_;
  int epoll_ = -1, wake_ = -1, timer_ = -1;
  Time timer_set_ = kNever;  // when timer_ wakes the loop; it may be too early, never too late
  Time now_{};
  std::chrono::system_clock::time_point wall_now_;
  List<Ready, ReadyTag> ready_;
  List<EndOfTurn, EndOfTurnTag> end_of_turn_, after_end_of_turn_;
  std::unique_ptr<TimerWheel> timers_;
  std::vector<Watch*> unwatched_;  // of the batch of events being handed out
  uint64_t turns_ = 0;
  size_t calls_ = 0;  // of this turn
  std::unique_ptr<Coalescer> coalescer_;
  Histogram* calls_per_turn_ = nullptr;
  Scope* background_ = nullptr;
  std::atomic<uint64_t> progress_{0};
  std::atomic<const std::string_view*> running_{nullptr};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> posted_;  // guarded by mutex_
  bool woken_ = false;                                   // guarded by mutex_
};

}  // namespace duplex
