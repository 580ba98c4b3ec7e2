// Where coroutines start: duplex::run for main, tests and threads that are no loop; LoopThread for a loop a core.
#pragma once

#include <memory>
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
  Context root(loop);
  Scope scope(root);
  std::exception_ptr exception;
  std::conditional_t<std::is_void_v<T>, std::optional<bool>, std::optional<T>> value;
  auto body = [&](Context& ctx) -> Task<void> {
    try {
      if constexpr (std::is_void_v<T>) co_await f(ctx);
      else value.emplace(co_await f(ctx));
    } catch (...) {
      exception = std::current_exception();
    }
  };
  auto main_task = [&](Context&) -> Task<void> {
    {
      Context own(root);
      co_await body(own);
    }
    loop.stop();
  };
  loop.post([&] { scope.spawn(main_task); });
  loop.run();
  if (exception) std::rethrow_exception(exception);
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

// A loop on a thread of its own, with a root Context and a Scope. stop() cancels what runs, waits for it, ends.
class LoopThread {
 public:
  LoopThread();
  ~LoopThread();  // stops
  LoopThread(const LoopThread&) = delete;

  Loop& loop() { return loop_; }
  // From any thread: spawns f(Context&, args...) -> Task<> on this loop.
  template <class F>
  void spawn(F f) {
    loop_.post([this, f = std::move(f)]() mutable { scope_.spawn(std::move(f)); });
  }
  // Pins the thread to a core; false if the system refuses.
  bool pin(int core);
  void stop();

 private:
  Loop loop_;
  Context root_{loop_};
  Scope scope_{root_};
  Context stop_root_{loop_};
  Scope stop_scope_{stop_root_};  // waits for scope_ from beside it
  std::thread thread_;
};

}  // namespace duplex
