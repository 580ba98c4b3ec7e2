// Channel and Signal: how coroutines of any loops, and plain threads, tell one another something.
#pragma once

#include <deque>
#include <mutex>
#include <optional>

#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

namespace duplex {

struct CrossTag : ListNode {};

// A wait that another thread may end. Linked and unlinked under its owner's mutex: whoever unlinks it wakes it.
class CrossWait : public CrossTag, public Waiter {
 protected:
  explicit CrossWait(std::mutex& mutex, Context& ctx) : mutex_(mutex), ctx_(ctx) {}
  ~CrossWait() = default;
  bool on_cancel() final {
    std::lock_guard lock(mutex_);
    if (!CrossTag::linked()) return false;  // unlinked by a waker: its wake is on the way
    CrossTag::unlink();
    return true;
  }
  std::mutex& mutex_;
  Context& ctx_;

 public:
  // After it was unlinked, with no lock held. From any thread.
  void wake_anywhere() {
    Loop& loop = ctx_.loop();
    if (Loop::current() == &loop)
      wake();
    else
      loop.post([this] { wake(); });
  }
};

// A counter that only grows, and a wait for it to have grown. No change is lost between the look and the wait:
//   for (uint64_t seen = signal.version();; seen = signal.version()) { look(); co_await signal.changed(ctx, seen); }
class Signal {
 public:
  class Changed final : public CrossWait {
   public:
    Changed(Signal& owner, Context& ctx, uint64_t seen) : CrossWait(owner.mutex_, ctx), owner_(owner), seen_(seen) {}
    bool await_ready() const { return ctx_.cancelled(); }
    bool await_suspend(std::coroutine_handle<> who) {
      std::lock_guard lock(mutex_);
      if (owner_.version_ != seen_) return false;
      owner_.waits_.push_back(*this);
      park(ctx_, who);
      return true;
    }
    Status await_resume() {
      std::lock_guard lock(mutex_);
      return owner_.version_ != seen_ ? Status() : ctx_.why();
    }

   private:
    Signal& owner_;
    const uint64_t seen_;
  };

  uint64_t version() const {
    std::lock_guard lock(mutex_);
    return version_;
  }
  // From any thread.
  void notify() {
    List<CrossWait, CrossTag> woken;
    {
      std::lock_guard lock(mutex_);
      ++version_;
      woken.splice(waits_);
      // Still linked in `woken`: a cancel between here and the wake must see them as unlinked.
      wake_list(woken);
    }
  }
  // OK when version() has left `seen`; else why ctx was cancelled.
  Changed changed(Context& ctx, uint64_t seen) { return Changed(*this, ctx, seen); }

 private:
  static void wake_list(List<CrossWait, CrossTag>& woken) {
    while (!woken.empty()) woken.pop_front().wake_anywhere();
  }
  mutable std::mutex mutex_;
  uint64_t version_ = 0;
  List<CrossWait, CrossTag> waits_;
};

// A bounded queue between coroutines of any loops. send waits for room, receive for an item; close ends both.
template <class T>
class Channel {
 public:
  explicit Channel(size_t capacity) : capacity_(capacity ? capacity : 1) {}

  // OK: taken. FAILED_PRECONDITION: closed. Else why ctx was cancelled; the item was not taken.
  Task<Status> send(Context& ctx, T item) {
    for (;;) {
      uint64_t seen = room_.version();
      {
        std::lock_guard lock(mutex_);
        if (closed_) co_return Status::failed_precondition("the channel is closed");
        if (items_.size() < capacity_) {
          items_.push_back(std::move(item));
          break;
        }
      }
      if (Status s = co_await room_.changed(ctx, seen); !s.is_ok()) co_return s;
    }
    arrived_.notify();
    co_return Status();
  }

  // Without waiting, from any thread: false if full or closed.
  bool try_send(T item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    arrived_.notify();
    return true;
  }

  // The next item; nullopt: closed and empty. An error took nothing (law 1).
  Task<Result<std::optional<T>>> receive(Context& ctx) {
    for (;;) {
      uint64_t seen = arrived_.version();
      std::optional<T> item;
      {
        std::lock_guard lock(mutex_);
        if (!items_.empty()) {
          item.emplace(std::move(items_.front()));
          items_.pop_front();
        } else if (closed_) {
          co_return std::optional<T>();
        }
      }
      if (item) {
        room_.notify();
        co_return std::move(item);
      }
      if (Status s = co_await arrived_.changed(ctx, seen); !s.is_ok()) co_return s;
    }
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    arrived_.notify();
    room_.notify();
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::deque<T> items_;
  bool closed_ = false;
  Signal arrived_, room_;
};

}  // namespace duplex
