// The small waits: sleep until a time, and Notifier, by which one part of a loop tells another that something changed.
#pragma once

#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

namespace duplex {

// `co_await sleep(ctx, 2s)`: OK after that time, or why ctx was cancelled.
class Sleep final : public Waiter, private Timer {
 public:
  Sleep(Context& ctx, Time until) : ctx_(ctx), until_(until) {}
  bool await_ready() const { return ctx_.cancelled() || until_ <= ctx_.loop().now(); }
  void await_suspend(std::coroutine_handle<> who) {
    park(ctx_, who);
    ctx_.loop().arm(*this, until_);
  }
  Status await_resume() {
    disarm();
    return ctx_.why();  // OK unless cancelled, even if the time has come too
  }

 private:
  void fire() override { wake(); }
  Context& ctx_;
  const Time until_;
};

inline Sleep sleep(Context& ctx, Duration span) { return Sleep(ctx, after(ctx.loop().now(), span)); }
inline Sleep sleep_until(Context& ctx, Time until) { return Sleep(ctx, until); }

// `co_await yield(ctx)`: lets the rest of the loop run first. OK, or why ctx was cancelled.
class Yield final : public Waiter {
 public:
  explicit Yield(Context& ctx) : ctx_(ctx) {}
  bool await_ready() const { return ctx_.cancelled(); }
  void await_suspend(std::coroutine_handle<> who) {
    park(ctx_, who);
    wake();
  }
  Status await_resume() { return ctx_.why(); }

 private:
  Context& ctx_;
};
inline Yield yield(Context& ctx) { return Yield(ctx); }

struct NotifyTag : ListNode {};

// "Something changed, look again", on one loop. Holds nothing: the waiter checks its condition before and after.
//   while (!ready) if (Status s = co_await changed.wait(ctx); !s.is_ok()) co_return s;
class Notifier {
 public:
  class Wait final : public NotifyTag, public Waiter {
   public:
    Wait(Notifier& owner, Context& ctx) : owner_(owner), ctx_(ctx) {}
    bool await_ready() const { return ctx_.cancelled(); }
    void await_suspend(std::coroutine_handle<> who) {
      owner_.waits_.push_back(*this);
      park(ctx_, who);
    }
    Status await_resume() { return notified_ ? Status() : ctx_.why(); }

   private:
    friend class Notifier;
    bool on_cancel() override {
      NotifyTag::unlink();
      return true;
    }
    Notifier& owner_;
    Context& ctx_;
    bool notified_ = false;
  };

  Wait wait(Context& ctx) { return Wait(*this, ctx); }
  bool waited_on() const { return !waits_.empty(); }
  void notify_all() {
    while (!waits_.empty()) {
      Wait& wait = waits_.pop_front();
      wait.notified_ = true;
      wait.wake();
    }
  }
  void notify_one() {
    if (waits_.empty()) return;
    Wait& wait = waits_.pop_front();
    wait.notified_ = true;
    wait.wake();
  }

 private:
  List<Wait, NotifyTag> waits_;
};

}  // namespace duplex
