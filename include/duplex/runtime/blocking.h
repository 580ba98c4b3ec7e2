// blocking(ctx, f): a place for work that blocks, such as a file, a C library, a long computation.
//
// A bounded pool of threads. Past its queue it answers RESOURCE_EXHAUSTED at once. A job that is queued is dropped when
// its Context is cancelled; one that runs is waited for. For work that returns a Status, return Result<bool>.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "duplex/runtime/channel.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

namespace duplex {

class BlockingPool {
 public:
  struct Options {
    size_t threads = 4;
    size_t queue = 1024;
  };
  explicit BlockingPool(Options options);
  BlockingPool() : BlockingPool(Options{}) {}
  ~BlockingPool();  // waits for what runs

  class Job {
   public:
    virtual void execute() = 0;

   protected:
    ~Job() = default;
  };

  // The process's own, made at first use.
  static BlockingPool& shared();

  bool submit(Job& job, std::string_view label);  // false: the queue is full
  bool withdraw(Job& job);                        // true: it was still queued and will not run
  // The methods whose work still runs, for the stop that they hold up.
  std::vector<std::string> running() const;
  size_t queue_limit() const { return options_.queue; }

 private:
  void work();
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  struct Queued {
    Job* job;
    std::string label;
  };
  std::deque<Queued> queue_;
  std::vector<std::string> running_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

namespace detail {

template <class F, class R>
class BlockingWait final : public Waiter, public BlockingPool::Job {
 public:
  BlockingWait(Context& ctx, BlockingPool& pool, F& f) : ctx_(ctx), pool_(pool), f_(f) {}
  bool await_ready() const { return ctx_.cancelled(); }
  bool await_suspend(std::coroutine_handle<> who) {
    park(ctx_, who);
    if (pool_.submit(*this, ctx_.label())) return true;
    full_ = true;
    wake();
    return true;
  }
  Result<R> await_resume() {
    if (exception_) std::rethrow_exception(exception_);
    if (full_)
      return Status::resource_exhausted("the pool for blocking work is full (" + std::to_string(pool_.queue_limit()) +
                                        " waiting)");
    if (!result_) return ctx_.why();
    return std::move(*result_);
  }

 private:
  bool on_cancel() override { return pool_.withdraw(*this); }
  void execute() final {
    try {
      result_.emplace(f_());
    } catch (...) {
      exception_ = std::current_exception();
    }
    ctx_.loop().post([this] { wake(); });
  }
  Context& ctx_;
  BlockingPool& pool_;
  F& f_;
  bool full_ = false;
  std::optional<R> result_;
  std::exception_ptr exception_;
};

template <class T>
struct FlatResult {
  using type = Result<T>;
};
template <class T>
struct FlatResult<Result<T>> {
  using type = Result<T>;
};

}  // namespace detail

// Runs f() on the pool and resumes on the caller's loop. f returns T or Result<T>; the answer is a Result<T>.
template <class F>
Task<typename detail::FlatResult<std::invoke_result_t<F>>::type> blocking(Context& ctx, F f,
                                                                          BlockingPool& pool = BlockingPool::shared()) {
  using R = std::invoke_result_t<F>;
  detail::BlockingWait<F, R> wait(ctx, pool, f);
  Result<R> result = co_await wait;
  if constexpr (std::is_same_v<typename detail::FlatResult<R>::type, R>) {
    if (!result) co_return result.error();
    co_return std::move(*result);
  } else {
    co_return result;
  }
}

}  // namespace duplex
