#include "duplex/store/group_commit.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "store/connection.h"
#include "store/errors.h"

namespace duplex::store::detail {

bool WriteWait::await_suspend(std::coroutine_handle<> who) {
  // The wake is posted to this very loop, so it cannot come before the parking.
  if (Status s = group_.submit(*this); !s.is_ok()) {
    failed_ = s;
    return false;
  }
  park(ctx_, who);
  return true;
}

bool WriteWait::on_cancel() { return group_.withdraw(*this); }

GroupCommit::GroupCommit(Writer& writer, Limits limits)
    : writer_(writer), limits_(limits), thread_([this] { work(); }) {}

Status GroupCommit::submit(WriteWait& wait) {
  {
    std::lock_guard lock(mutex_);
    if (closing_) return Status::unavailable("the database is closed");
    if (queued_ >= limits_.queue)
      return Status::resource_exhausted(
          "the database's queue of writes is full (write_queue: " + std::to_string(limits_.queue) + ")");
    queue_.push_back(wait);
    ++queued_;
  }
  wanted_.notify_one();
  return Status();
}

bool GroupCommit::withdraw(WriteWait& wait) {
  std::lock_guard lock(mutex_);
  if (!wait.WriteTag::linked()) return false;
  wait.WriteTag::unlink();
  --queued_;
  return true;
}

size_t GroupCommit::queued() const {
  std::lock_guard lock(mutex_);
  return queued_;
}

void GroupCommit::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wanted_.notify_one();
  std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void GroupCommit::work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [&] { return closing_ || queued_; });
      if (!queued_) return;
    }
    run_group();
  }
}

WriteWait* GroupCommit::take() {
  std::lock_guard lock(mutex_);
  if (!queued_) return nullptr;
  --queued_;
  return &queue_.pop_front();
}

void GroupCommit::run_group() {
  Reader::Impl& connection = writer_.impl();
  Time end = after(Clock::now(), limits_.group_time);
  // Everyone who waits hears why no transaction begins (another tool holds the file's lock).
  if (Status s = connection.control_status("BEGIN IMMEDIATE"); !s.is_ok()) {
    while (WriteWait* wait = group_.size() < limits_.group ? take() : nullptr) group_.push_back(wait);
    lose_group(s);
    return answer();
  }
  bool any = false;
  while (WriteWait* wait = group_.size() < limits_.group ? take() : nullptr) {
    any |= perform(*wait);
    group_.push_back(wait);
    if (!connection.in_transaction()) {
      // SQLite undid all of it (disk full, I/O, OR ROLLBACK): those before get to know, the others begin anew.
      lose_group(Status::unavailable("a write of the same transaction made SQLite undo it; nothing was kept"));
      return answer();
    }
    if (Clock::now() >= end) break;
  }
  if (!any) {
    connection.control("ROLLBACK");
  } else if (Status s = commit(); !s.is_ok()) {
    lose_group(s);
  }
  answer();
}

bool GroupCommit::perform(WriteWait& wait) {
  Reader::Impl& connection = writer_.impl();
  if (Status s = connection.control_status("SAVEPOINT one"); !s.is_ok()) {
    wait.fail(s);
    return false;
  }
  bool keep = wait.perform(writer_);
  if (!connection.in_transaction()) {
    // Its own answer may be a success that is gone.
    if (keep) wait.fail(Status::unavailable("SQLite undid the transaction; nothing was kept"));
    return false;
  }
  if (keep) {
    // A deferred foreign key that is still open would fail the COMMIT of all.
    int open = 0, highest = 0;
    sqlite3_db_status(connection.db, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &highest, 0);
    if (open) {
      wait.fail(Status::failed_precondition("FOREIGN KEY constraint failed: a deferred reference was left open"));
      keep = false;
    }
  }
  if (!keep) {
    if (Status s = connection.control_status("ROLLBACK TO one"); !s.is_ok()) {
      connection.control("ROLLBACK");  // run_group sees it, and loses the group
      return false;
    }
  }
  if (Status s = connection.control_status("RELEASE one"); !s.is_ok()) {
    if (keep) wait.fail(s);
    connection.control("ROLLBACK");
    return false;
  }
  return keep;
}

Status GroupCommit::commit() {
  Reader::Impl& connection = writer_.impl();
  int rc = connection.control("COMMIT");
  if (rc == SQLITE_OK) {
    commits_.fetch_add(1, std::memory_order_relaxed);
    return Status();
  }
  Status why = commit_failed(error_status(connection.db, rc, {}), rc);
  if (connection.in_transaction()) connection.control("ROLLBACK");
  return why;
}

void GroupCommit::lose_group(const Status& why) {
  for (WriteWait* wait : group_)
    if (!wait->failed()) wait->lose(why);
}

void GroupCommit::answer() {
  // One post a loop, however many wait on it, in their order. A wait may be gone as soon as its loop has the post.
  std::vector<std::pair<Loop*, std::vector<WriteWait*>>> by_loop;
  for (WriteWait* wait : group_) {
    auto same = std::find_if(by_loop.begin(), by_loop.end(), [&](auto& entry) { return entry.first == &wait->loop(); });
    if (same == by_loop.end()) same = by_loop.insert(same, {&wait->loop(), {}});
    same->second.push_back(wait);
  }
  for (auto& [loop, waits] : by_loop)
    loop->post([mine = std::move(waits)] {
      for (WriteWait* wait : mine) wait->wake();
    });
  group_.clear();
}

}  // namespace duplex::store::detail
