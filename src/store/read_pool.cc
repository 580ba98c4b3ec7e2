#include "store/read_pool.h"

#include "store/connection.h"

namespace duplex::store::detail {

Reader* ReadPool::take() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return closed_ || !idle_.empty(); });
  if (closed_) return nullptr;
  Reader* reader = idle_.back();
  idle_.pop_back();
  return reader;
}

void ReadPool::give_back(Reader& reader) {
  std::lock_guard lock(mutex_);
  idle_.push_back(&reader);
  // Under the lock: the pool may go as soon as close() has seen it.
  returned_.notify_all();
}

void ReadPool::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  returned_.notify_all();
  returned_.wait(lock, [&] { return idle_.size() == readers_.size(); });
  idle_.clear();
  readers_.clear();
}

ReadLease::ReadLease(ReadPool& pool, Time deadline) : pool_(pool), reader_(pool.take()) {
  if (!reader_) {
    status_ = Status::unavailable("the database is closed");
    return;
  }
  reader_->impl().deadline = deadline;
  status_ = reader_->impl().control_status("BEGIN");
}

ReadLease::~ReadLease() {
  if (!reader_) return;
  reader_->impl().deadline = kNever;
  if (reader_->impl().in_transaction()) reader_->impl().control("ROLLBACK");  // it changed nothing
  pool_.give_back(*reader_);
}

}  // namespace duplex::store::detail
