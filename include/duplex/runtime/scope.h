// Scope: owns children that run beside their maker, so that stopping is a wait and not a hope.
//
//   Scope scope(ctx);
//   scope.spawn([&](Context& child) -> Task<void> { ... });
//   ...
//   co_await scope.join();          // before the Scope ends; a Scope destroyed with children left aborts
//
// spawn copies the callable and its arguments into the child's frame, gives the child a Context of its own under the
// Scope's, and runs it to its first suspension (law 10). A callable with a member ended() hears that its task is over,
// also by an exception, while the child's Context is still there: that saves a frame around the task. What escapes a
// child as an exception goes to the log.
#pragma once

#include <functional>
#include <type_traits>

#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"
#include "duplex/runtime/wait.h"

namespace duplex {

class Scope {
 public:
  // The children's Contexts are children of `ctx`, which outlives the Scope.
  explicit Scope(Context& ctx) : ctx_(ctx) {}
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // f(Context&, args...) returns a Task. Its value is dropped.
  template <class F, class... Args>
  void spawn(F f, Args... args) {
    Root root = run(*this, std::move(f), std::move(args)...);
    ++running_;
    root.handle.resume();
  }

  // Cancels every child. They end when they have heard it: join().
  void cancel(const Status& why) { ctx_.cancel(why); }

  size_t running() const { return running_; }
  Context& context() const { return ctx_; }

  // Waits for all children, whatever happens to any Context: a child that must end sooner is cancelled first.
  Task<void> join();
  // The same, but no longer than until that time: true if all have ended.
  Task<bool> join(Time until);

 private:
  struct Root {
    struct promise_type final : detail::FramePromise, Ready {
      Scope& scope;
      template <class... Rest>
      explicit promise_type(Scope& s, Rest&&...) : scope(s) {}
      Root get_return_object() { return Root{std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() noexcept { return {}; }
      struct Final {
        bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> h) noexcept {
          h.promise().scope.ctx_.loop().ready(h.promise());  // the loop frees the frame
        }
        void await_resume() noexcept {}
      };
      Final final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() noexcept { report_escaped(); }
      void run() override {
        Scope& owner = scope;
        std::coroutine_handle<promise_type>::from_promise(*this).destroy();
        owner.child_ended();
      }
    };
    std::coroutine_handle<promise_type> handle;
  };

  template <class F>
  struct Ended {
    F& f;
    ~Ended() {
      if constexpr (requires { f.ended(); }) f.ended();
    }
  };
  template <class F, class... Args>
  static Root run(Scope& scope, F f, Args... args) {
    Context child(scope.ctx_);
    Ended<F> ended{f};
    co_await f(child, std::move(args)...);
  }
  static void report_escaped() noexcept;
  void child_ended();

  Context& ctx_;
  size_t running_ = 0;
  Notifier ended_;
};

// Runs f and g at once, each with a child Context; the first failure cancels the other. Returns the first failure.
// f and g are callables Task<Status>(Context&).
template <class F, class G>
Task<Status> both(Context& ctx, F f, G g) {
  Context together(ctx);
  Scope scope(together);
  Status first;
  std::exception_ptr thrown;
  auto watched = [&](Context& child, auto& body) -> Task<void> {
    Status s;
    try {
      s = co_await body(child);
    } catch (...) {
      thrown = std::current_exception();
      s = Status::internal("an exception");
    }
    if (s.is_ok()) co_return;
    if (first.is_ok()) first = s;
    together.cancel(Status::cancelled("the other half failed: " + s.to_string()));
  };
  scope.spawn([&](Context& child) { return watched(child, f); });
  scope.spawn([&](Context& child) { return watched(child, g); });
  co_await scope.join();
  if (thrown) std::rethrow_exception(thrown);
  co_return first;
}

}  // namespace duplex
