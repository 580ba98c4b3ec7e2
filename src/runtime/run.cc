#include "duplex/runtime/run.h"

#include <pthread.h>

namespace duplex {

LoopThread::LoopThread() : thread_([this] { loop_.run(); }) {}

LoopThread::~LoopThread() { stop(); }

bool LoopThread::pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  return pthread_setaffinity_np(thread_.native_handle(), sizeof set, &set) == 0;
}

void LoopThread::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    root_.cancel(Status::unavailable("the process is stopping"));
    stop_scope_.spawn([this](Context&) -> Task<void> {
      co_await scope_.join();
      loop_.stop();
    });
  });
  thread_.join();
}

}  // namespace duplex
