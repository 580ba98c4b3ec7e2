#include "duplex/runtime/blocking.h"

#include <algorithm>
#include <system_error>

namespace duplex {

BlockingPool::BlockingPool(Options options) : options_(options) {}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& t : threads_) t.join();
}

BlockingPool& BlockingPool::shared() {
  static BlockingPool pool;
  return pool;
}

bool BlockingPool::submit(Job& job, std::string_view label) {
  std::lock_guard lock(mutex_);
  if (queue_.size() >= options_.queue) return false;
  queue_.push_back(Queued{&job, std::string(label)});
  if (threads_.size() < options_.threads && queue_.size() + running_.size() > threads_.size()) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {  // no more threads to be had: those there do it, or nobody
      if (threads_.empty()) {
        queue_.pop_back();
        return false;
      }
    }
  }
  wanted_.notify_one();
  return true;
}

bool BlockingPool::withdraw(Job& job) {
  std::lock_guard lock(mutex_);
  return std::erase_if(queue_, [&](const Queued& q) { return q.job == &job; }) > 0;
}

std::vector<std::string> BlockingPool::running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

void BlockingPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto [job, label] = std::move(queue_.front());
    queue_.pop_front();
    running_.push_back(label);
    lock.unlock();
    job->execute();  // the job may be gone after this
    lock.lock();
    running_.erase(std::find(running_.begin(), running_.end(), label));
  }
}

}  // namespace duplex
