// Task<T>: a coroutine that is awaited once, lazily, on the loop it was made on.
//
// Nothing runs before the `co_await`. A Task that has its value already (`Task<T>::ready(v)`) has no frame. A Task that
// is destroyed while it is parked aborts: whoever wanted to wake it would find a grave. Exceptions go to who awaits.
//
// The awaiter resumes the child first and stores the continuation only if the child parked: stored before, a child that
// ends at once would run its parent twice; with symmetric transfer, unoptimised builds run out of stack.
#pragma once

#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

#include "duplex/base/free_list.h"

namespace duplex {

template <class T>
class Task;

namespace detail {

[[noreturn]] void abort_task_destroyed_while_running();

struct FramePromise {
  static void* operator new(size_t size) { return free_list_allocate(size); }
  static void operator delete(void* frame, size_t size) noexcept { free_list_release(frame, size); }
};

struct TaskPromiseBase : FramePromise {
  std::coroutine_handle<> continuation;
  bool started = false;

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> h) noexcept {
      if (auto next = h.promise().continuation) next.resume();  // nothing of this frame is touched after it
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::optional<T> value;
  std::exception_ptr exception;
  Task<T> get_return_object();
  template <class U = T>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
  T& get() {
    if (exception) std::rethrow_exception(exception);
    return *value;
  }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  std::exception_ptr exception;
  Task<void> get_return_object();
  void return_void() {}
  void unhandled_exception() noexcept { exception = std::current_exception(); }
  void take() {
    if (exception) std::rethrow_exception(exception);
  }
};

template <class P>
class TaskHandle {  // owns the frame
 public:
  TaskHandle() = default;
  explicit TaskHandle(std::coroutine_handle<P> h) : h_(h) {}
  TaskHandle(TaskHandle&& o) noexcept : h_(std::exchange(o.h_, nullptr)) {}
  TaskHandle& operator=(TaskHandle&& o) noexcept {
    std::swap(h_, o.h_);
    return *this;
  }
  ~TaskHandle() {
    if (!h_) return;
    if (h_.promise().started && !h_.done()) abort_task_destroyed_while_running();
    h_.destroy();
  }
  std::coroutine_handle<P> get() const { return h_; }

  bool start(std::coroutine_handle<> parent) {  // false: it is done already
    h_.promise().started = true;
    h_.resume();
    if (h_.done()) return false;
    h_.promise().continuation = parent;
    return true;
  }

 private:
  std::coroutine_handle<P> h_;
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  template <class U = T>
  static Task ready(U&& value) {
    return Task(std::in_place, std::forward<U>(value));
  }

  explicit Task(std::coroutine_handle<promise_type> h) : handle_(h) {}
  Task(Task&&) noexcept = default;
  Task& operator=(Task&&) noexcept = default;

  // Has its value without having run: no frame.
  bool has_value() const { return value_.has_value(); }

  auto operator co_await() && {
    struct Awaiter {
      Task& task;
      bool await_ready() { return task.value_.has_value(); }
      bool await_suspend(std::coroutine_handle<> parent) { return task.handle_.start(parent); }
      T await_resume() {
        if (task.value_) return std::move(*task.value_);
        return std::move(task.handle_.get().promise().get());
      }
    };
    return Awaiter{*this};
  }

  // co_await task.in_place(): the value where it is, inside the Task, for who keeps the Task and wants no move.
  auto in_place() {
    struct Awaiter {
      Task& task;
      bool await_ready() { return task.value_.has_value(); }
      bool await_suspend(std::coroutine_handle<> parent) { return task.handle_.start(parent); }
      T& await_resume() { return task.value_ ? *task.value_ : task.handle_.get().promise().get(); }
    };
    return Awaiter{*this};
  }

 private:
  template <class U>
  Task(std::in_place_t, U&& value) : value_(std::in_place, std::forward<U>(value)) {}
  detail::TaskHandle<promise_type> handle_;
  std::optional<T> value_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  using promise_type = detail::TaskPromise<void>;
  using value_type = void;

  static Task ready() { return Task(nullptr); }
  explicit Task(std::coroutine_handle<promise_type> h) : handle_(h) {}
  Task(Task&&) noexcept = default;
  Task& operator=(Task&&) noexcept = default;

  auto operator co_await() && {
    struct Awaiter {
      Task& task;
      bool await_ready() { return !task.handle_.get(); }
      bool await_suspend(std::coroutine_handle<> parent) { return task.handle_.start(parent); }
      void await_resume() {
        if (auto h = task.handle_.get()) h.promise().take();
      }
    };
    return Awaiter{*this};
  }

 private:
  explicit Task(std::nullptr_t) {}
  detail::TaskHandle<promise_type> handle_;
};

template <class T>
Task<T> detail::TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> detail::TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace duplex
