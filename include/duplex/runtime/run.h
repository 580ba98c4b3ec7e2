// Where coroutines start: duplex::run for main, tests and threads that are no loop; LoopThread for a loop a core.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "duplex/runtime/scope.h"

namespace duplex {

// Runs f(ctx) on a loop of its own on this thread until it ends, and returns what it returns. What it threw is thrown.
//   int main() { return duplex::run([](Context& ctx) -> Task<int> { ... }); }
template <class F>
auto run(F f, Loop::Options options = {}) -> typename std::invoke_result_t<F, Context&>::value_type {
  using T = typename std::invoke_result_t<F, Context&>::value_type;
  Loop loop(options);
  Context root(loop), background_root(loop);
  Scope scope(root), background(background_root);
  loop.set_background(&background);
  std::exception_ptr exception;
  std::conditional_t<std::is_void_v<T>, std::optional<bool>, std::optional<T>> value;
  auto body = [&](Context& ctx) -> Task<void> {
    try {
      if constexpr (std::is_void_v<T>)
        co_await f(ctx);
      else
        value.emplace(co_await f(ctx));
    } catch (...) {
      exception = std::current_exception();
    }
  };
  auto main_task = [&](Context&) -> Task<void> {
    {
      Context own(root);
      co_await body(own);
    }
    background.cancel(Status::unavailable("the loop ends"));
    co_await background.join();
    loop.stop();
  };
  loop.post([&] { scope.spawn(main_task); });
  loop.run();
  if (exception) std::rethrow_exception(exception);
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

// A loop on a thread of its own, with a root Context and a Scope for its work.
class LoopThread {
 public:
  LoopThread();
  ~LoopThread();  // stops at once
  LoopThread(const LoopThread&) = delete;

  Loop& loop() { return loop_; }
  // From any thread: spawns f(Context&) -> Task<> on this loop.
  template <class F>
  void spawn(F f) {
    loop_.post([this, f = std::move(f)]() mutable { scope_.spawn(std::move(f)); });
  }
  // For the loop's own thread.
  Scope& scope() { return scope_; }
  // Pins the thread to a core; false if the system refuses.
  bool pin(int core);

  // Waits up to `grace` for the work to end by itself, cancels what is left with UNAVAILABLE, and ends the loop when
  // that has heard it. Returns at once; once.
  void begin_stop(Duration grace);
  // Waits for the end: false if it has not come after `limit`.
  bool wait_stopped(Duration limit);
  void stop(Duration grace = Duration::zero());

 private:
  Loop loop_;
  Context root_{loop_}, background_root_{loop_}, stop_root_{loop_};
  Scope scope_{root_}, background_{background_root_};
  Scope stop_scope_{stop_root_};  // waits for the others from beside them
  bool stopping_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace duplex
