// GroupCommit: the one thread that writes, and the queue before it.
//
// A commit is one fsync, some 0.1 to 10 ms; a write is some 10 us. So the thread runs what is queued, each write under
// a savepoint of its own, in one transaction, and answers all of them after its COMMIT. While the disk syncs the next
// group gathers by itself: nothing waits for a timer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"
#include "duplex/store/connection.h"

namespace duplex::store {

namespace detail {

// What read and write return for a function that returns R: Status and Result<T> as they are, T as Result<T>.
template <class R>
struct AnswerOf {
  static_assert(!std::is_void_v<R>, "return a Status, a Result<T> or a T");
  using type = Result<R>;
  static bool good(const R&) { return true; }
};
template <class T>
struct AnswerOf<Result<T>> {
  using type = Result<T>;
  static bool good(const Result<T>& r) { return r.has_value(); }
};
template <>
struct AnswerOf<Status> {
  using type = Status;
  static bool good(const Status& s) { return s.is_ok(); }
};

class GroupCommit;
struct WriteTag : ListNode {};

// A write that waits for its commit. All but the parking is touched by the writing thread from the moment it leaves the
// queue until it is posted back.
class WriteWait : public WriteTag, public Waiter {
 public:
  bool await_ready() const { return ctx_.cancelled(); }
  bool await_suspend(std::coroutine_handle<> who);
  void await_resume() const {}

  // On the writing thread: false asks for the savepoint to be rolled back.
  virtual bool perform(Writer& writer) noexcept = 0;
  void fail(Status why) { failed_ = std::move(why); }
  bool failed() const { return !failed_.is_ok(); }
  // The transaction it was part of is gone. One that failed by itself keeps its own, better reason.
  virtual void lose(const Status& why) = 0;
  Loop& loop() const { return ctx_.loop(); }

 protected:
  WriteWait(Context& ctx, GroupCommit& group) : ctx_(ctx), group_(group) {}
  ~WriteWait() = default;
  bool on_cancel() final;
  Context& ctx_;
  Status failed_;

 private:
  GroupCommit& group_;
};

class GroupCommit {
 public:
  struct Limits {
    size_t queue;
    size_t group;
    Duration group_time;
  };
  // `writer` outlives it.
  GroupCommit(Writer& writer, Limits limits);
  ~GroupCommit() { close(); }
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  Status submit(WriteWait& wait);  // from any thread
  bool withdraw(WriteWait& wait);  // true: it was still queued and will not run
  void close();                    // runs what is queued, then ends the thread; what is submitted later is UNAVAILABLE

  uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }
  size_t queued() const;

 private:
  void work();
  void run_group();
  WriteWait* take();
  bool perform(WriteWait& wait);
  Status commit();
  void lose_group(const Status& why);
  void answer();

  Writer& writer_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  List<WriteWait, WriteTag> queue_;  // guarded by mutex_, as are the next two
  size_t queued_ = 0;
  bool closing_ = false;
  std::vector<WriteWait*> group_;  // the writing thread's: what the open transaction answers
  std::atomic<uint64_t> commits_{0};
  std::mutex join_mutex_;
  std::thread thread_;  // the last: it uses the rest
};

template <class F>
class WriteCall final : public WriteWait {
 public:
  using R = std::invoke_result_t<F&, Writer&>;
  using Answer = typename AnswerOf<R>::type;
  WriteCall(Context& ctx, GroupCommit& group, F& f) : WriteWait(ctx, group), f_(f) {}

  Answer take() {
    if (exception_) std::rethrow_exception(exception_);
    if (failed()) return failed_;
    if (!answer_) return ctx_.why();  // cancelled before it ran
    return Answer(std::move(*answer_));
  }

 private:
  bool perform(Writer& writer) noexcept override {
    try {
      answer_.emplace(f_(writer));
      return AnswerOf<R>::good(*answer_);
    } catch (...) {
      exception_ = std::current_exception();
      return false;
    }
  }
  void lose(const Status& why) override {
    if (!exception_ && !(answer_ && !AnswerOf<R>::good(*answer_))) fail(why);
  }
  F& f_;
  std::optional<R> answer_;
  std::exception_ptr exception_;
};

}  // namespace detail
}  // namespace duplex::store
