// Database: one SQLite file that belongs to one process, for handlers that must not block their loop.
//
//   store::Options options;
//   options.migrations = {"CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"};
//   auto db = store::Database::open("shop.db", options);                      // Result<std::unique_ptr<Database>>
//   Result<int64_t> id = co_await (*db)->write(ctx, [&](store::Writer& w) -> Result<int64_t> {
//     auto added = w.execute("INSERT INTO customer(name) VALUES (?)", name);
//     if (!added) return added.error();                                       // ALREADY_EXISTS; this write is undone
//     return w.last_insert_rowid();
//   });                                                                       // here it is on the disk
//   auto names = co_await (*db)->read(ctx, [](store::Reader& r) {
//     return r.query<std::string>("SELECT name FROM customer");               // Result<std::vector<std::string>>
//   });
//
// Opened with WAL (https://sqlite.org/wal.html) and synchronous=FULL: readers see a snapshot and neither wait for the
// writer nor make it wait; an answered write survives the loss of power.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "duplex/runtime/blocking.h"
#include "duplex/store/group_commit.h"

namespace duplex::store {

struct Options {
  // SQL scripts, of any number of statements each; script n is run once in the life of the file, in a transaction of
  // its own, and the count is kept in PRAGMA user_version. Only ever add at the end. Foreign keys are not enforced
  // while a script runs (so that it may rebuild a table) but are checked before it commits.
  std::vector<std::string> migrations;
  size_t readers = 4;         // connections that read, one thread each
  size_t read_queue = 1024;   // reads that wait for one of them; past it RESOURCE_EXHAUSTED
  size_t write_queue = 4096;  // writes that wait for the writing thread; past it RESOURCE_EXHAUSTED
  size_t group = 512;         // writes in one commit, at most
  Duration group_time = std::chrono::milliseconds(10);  // a group takes no more writes when it has run this long
  size_t statements = 128;                              // prepared statements kept, a connection
  Duration busy = std::chrono::seconds(5);  // how long to wait for another tool (the sqlite3 shell) that locks the file
  bool foreign_keys = true;                 // enforce REFERENCES
};

namespace detail {
class FileLock;
class ReadPool;

// A connection with an open snapshot, for as long as this lives. Reads that pass `deadline` are cut short.
class ReadLease {
 public:
  ReadLease(ReadPool& pool, Time deadline);
  ~ReadLease();
  ReadLease(const ReadLease&) = delete;
  ReadLease& operator=(const ReadLease&) = delete;
  const Status& status() const { return status_; }
  Reader& reader() { return *reader_; }

 private:
  ReadPool& pool_;
  Reader* reader_ = nullptr;
  Status status_;
};
}  // namespace detail

class Database {
 public:
  // Opens or makes the file, takes it for this process, and runs the migrations that it has not seen. Blocks: it is for
  // the start of a program. FAILED_PRECONDITION: another process (or another Database of this one) has the file; the
  // file is of a newer version of the program; a migration failed; the file system has no WAL (a network's).
  // The lock is on "<path>-lock" and goes with the process that holds it, however that ends.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path, Options options);
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path) { return open(path, Options()); }
  // close(). No call may be under way, or be made, on another thread.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs f(Reader&) on a snapshot, off the loop, and resumes on the caller's loop with what it returned (a Status, a
  // Result<T>, or a T made a Result<T>); what it throws is thrown here. The snapshot begins with f's first statement
  // and contains every write answered before. A statement that runs when ctx's deadline passes is cut short
  // (DEADLINE_EXCEEDED); for any other cancel f is waited for once it runs. RESOURCE_EXHAUSTED: Options::read_queue.
  // UNAVAILABLE: closed.
  template <class F>
  auto read(Context& ctx, F f) -> Task<typename detail::AnswerOf<std::invoke_result_t<F&, Reader&>>::type> {
    using R = std::invoke_result_t<F&, Reader&>;
    std::optional<R> answer;
    auto work = [&, deadline = ctx.deadline()]() -> Result<bool> {
      detail::ReadLease lease(*read_pool_, deadline);
      if (!lease.status().is_ok()) return lease.status();
      answer.emplace(f(lease.reader()));
      return true;
    };
    Task<Result<bool>> working = blocking(ctx, work, *read_threads_);
    Result<bool> worked = co_await std::move(working);
    if (!worked) {
      // The pool's own refusal does not know which of our limits it met.
      if (worked.error().code() == Code::kResourceExhausted && !ctx.cancelled()) co_return read_queue_full();
      co_return worked.error();
    }
    co_return std::move(*answer);
  }

  // Runs f(Writer&) on the writing thread and returns what it returned once that is committed and synced. When f
  // returns an error or throws, all it wrote is undone, and nothing else. f sees what the writes before it wrote.
  // A write whose ctx is cancelled while it is queued never runs; one that has begun is waited for, so an answer is
  // always the truth. RESOURCE_EXHAUSTED: Options::write_queue. UNAVAILABLE: closed; or nothing was kept because the
  // disk is full, the file locked by another tool, or a write in the same group undid its transaction (do it again).
  // INTERNAL: the commit failed in a way (I/O) that leaves open whether it will be found after a restart.
  // f must be quick: it holds up every other write, so it waits for nothing but the database.
  template <class F>
  auto write(Context& ctx, F f) -> Task<typename detail::WriteCall<F>::Answer> {
    detail::WriteCall<F> call(ctx, *group_, f);
    co_await call;
    co_return call.take();
  }

  // Runs the writes that are queued, waits for the reads under way, and closes the file. Calls after it get
  // UNAVAILABLE. The first blocks its thread; the second does not, and is not cut short by ctx once it has begun.
  void close();
  Task<Status> close(Context& ctx);

  // Transactions committed since open(); fewer than writes, by the size of the groups.
  uint64_t commits() const { return group_->commits(); }
  // Writes that wait now.
  size_t queued_writes() const { return group_->queued(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  Database(std::filesystem::path path, std::unique_ptr<detail::FileLock> lock);
  Status read_queue_full() const;

  const std::filesystem::path path_;
  std::unique_ptr<detail::FileLock> lock_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<detail::GroupCommit> group_;
  std::unique_ptr<detail::ReadPool> read_pool_;
  std::unique_ptr<BlockingPool> read_threads_;
  std::mutex close_mutex_;
};

}  // namespace duplex::store
