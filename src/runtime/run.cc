#include "duplex/runtime/run.h"

#include <pthread.h>

namespace duplex {

LoopThread::LoopThread() {
  loop_.set_background(&background_);
  thread_ = std::thread([this] {
    loop_.run();
    std::lock_guard lock(mutex_);
    has_ended_ = true;
    ended_.notify_all();
  });
}

LoopThread::~LoopThread() { stop(); }

bool LoopThread::pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  return pthread_setaffinity_np(thread_.native_handle(), sizeof set, &set) == 0;
}

void LoopThread::begin_stop(Duration grace) {
  if (std::exchange(stopping_, true)) return;
  loop_.post([this, grace] {
    stop_scope_.spawn([this, grace](Context&) -> Task<void> {
      if (grace > Duration::zero()) co_await scope_.join(after(loop_.now(), grace));
      root_.cancel(Status::unavailable("the process is stopping"));
      co_await scope_.join();
      background_root_.cancel(Status::unavailable("the process is stopping"));
      co_await background_.join();
      loop_.stop();
    });
  });
}

bool LoopThread::wait_stopped(Duration limit) {
  std::unique_lock lock(mutex_);
  if (!ended_.wait_for(lock, limit, [&] { return has_ended_; })) return false;
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  return true;
}

void LoopThread::stop(Duration grace) {
  begin_stop(grace);
  if (thread_.joinable()) thread_.join();
}

}  // namespace duplex
