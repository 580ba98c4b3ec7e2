// Context: how long a piece of work may take, whether it is still wanted, and what its makers put there for it.
//
// One a try, on its maker's stack; a child sees its parent: it ends no later, is cancelled with it, and finds what the
// parent put. Every wait in Duplex takes the Context of who waits, and hears it (law 1): when it is cancelled the wait
// returns at once with why(). A Context belongs to the loop it was made on.
#pragma once

#include <string_view>
#include <vector>

#include "duplex/base/list.h"
#include "duplex/base/status.h"
#include "duplex/base/time.h"
#include "duplex/runtime/loop.h"

namespace duplex {

class Call;   // of the room `service`: what ctx.call() gives a handler
class Reply;  // of the room `service`: what ctx.reply() gives a handler
class Waiter;

struct ContextTag : ListNode {};
struct WaiterTag : ListNode {};

class Context final : private ContextTag, private Timer {
 public:
  // A root: for a loop's own work, with no deadline.
  explicit Context(Loop& loop);
  explicit Context(Context& parent);
  // A child that ends `span` from now, or with its parent if that is sooner.
  Context(Context& parent, Duration span);
  Context(Context& parent, Time deadline);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Loop& loop() const { return loop_; }
  Time deadline() const { return deadline_; }
  // What is left until the deadline, at least 0; Duration::max() without one.
  Duration remaining() const;
  // Ends sooner: a deadline later than today's changes nothing.
  void set_deadline(Time deadline);

  bool cancelled() const { return !why_.is_ok(); }
  // OK until cancelled; then why. A deadline is a cancel with DEADLINE_EXCEEDED (law 8).
  const Status& why() const { return why_; }
  // The first reason stays. Wakes every wait on this Context and its children; nothing runs inside this call.
  void cancel(const Status& why);

  // What an outer layer put here or further out, by its type; null if nobody did.
  template <class T>
  T* find() const {
    return static_cast<T*>(find_slot(&kTag<T>));
  }
  // Borrowed: `value` outlives this Context, or is taken out of it again by exchange().
  template <class T>
  void put(T& value) {
    put_slot(&kTag<T>, &value);
  }
  // Puts `value` here and gives what was put here before, null if nothing; null for `value`: what is further out is
  // found again.
  template <class T>
  T* exchange(T* value) {
    return static_cast<T*>(put_slot(&kTag<T>, value));
  }

  // What the watchdog and a stuck stop name: the method this works for; inherited.
  std::string_view label() const { return label_ ? *label_ : std::string_view("(no method)"); }
  const std::string_view* label_address() const { return label_; }
  void set_label(const std::string_view* label) { label_ = label; }  // `label` outlives the process's loops

  // The call a handler answers: its method, metadata and peer. Not inherited by child Contexts: what came in must not
  // leak into calls that go out. Aborts where there is none.
  const Call& call() const;
  Reply& reply() const;
  // The Reply of the nearest call that is answered here or further out, null if none is: for those who make calls on
  // its behalf and learn what its caller should know.
  Reply* reply_for_caller() const;
  void set_call(const Call* call, Reply* reply) {
    call_ = call;
    reply_ = reply;
  }

 private:
  friend class Waiter;
  template <class T>
  static constexpr char kTag = 0;
  struct Slot {
    const void* tag;
    void* value;
  };
  void* find_slot(const void* tag) const;
  void* put_slot(const void* tag, void* value);  // gives what was there
  void fire() override;

  Loop& loop_;
  Context* parent_ = nullptr;
  Time deadline_ = kNever;
  Status why_;
  const std::string_view* label_ = nullptr;
  const Call* call_ = nullptr;
  Reply* reply_ = nullptr;
  List<Context, ContextTag> children_;
  List<Waiter, WaiterTag> waiters_;
  size_t slot_count_ = 0;
  Slot slots_[3];
  std::vector<Slot> more_slots_;
  friend class List<Context, ContextTag>;
};

// The base of every leaf wait: a coroutine parked until wake() or until its Context is cancelled.
class Waiter : public WaiterTag, public Ready {
 public:
  // On the waiter's own loop: goes to the ready list; nothing if it is not parked.
  void wake();
  bool parked() const { return parked_; }
  void cancelled() {  // called by its Context
    if (on_cancel()) wake();
  }
  Context& context() const { return *context_; }

 protected:
  Waiter() = default;
  ~Waiter() = default;
  void park(Context& ctx, std::coroutine_handle<> who);
  // The Context was cancelled: leave whatever list another would wake this from. False: a wake is already on its way.
  virtual bool on_cancel() { return true; }

 private:
  void run() final;
  Context* context_ = nullptr;
  std::coroutine_handle<> who_;
  bool parked_ = false;
};

}  // namespace duplex
