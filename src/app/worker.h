// Worker: one loop on a thread of its own, and the connections it serves.
#pragma once

#include <atomic>
#include <list>

#include "duplex/http/connection.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/socket.h"

namespace duplex::app {

class Worker {
 public:
  explicit Worker(http::ServerOptions options) : options_(options) {}

  Loop& loop() { return thread_.loop(); }
  // How many connections it has, those under way to it included. From any thread.
  size_t connections() const { return connections_.load(std::memory_order_relaxed); }
  // f(root), on the loop, before any connection: `root` is the parent of all its Contexts.
  void on_root(std::function<void(Context&)> f);
  // From any thread.
  void take(Fd socket, std::string peer);
  // Tells every connection that the server stops, and ends the loop when they have ended or after `grace`.
  void begin_stop(Duration grace);
  bool wait_stopped(Duration limit) { return thread_.wait_stopped(limit); }

 private:
  Task<void> serve(Context& ctx, int fd, std::string peer);
  const http::ServerOptions options_;
  std::atomic<size_t> connections_{0};
  struct Open {
    http::ServerConnection* connection;  // null until the first octets came
    Context* context;
  };
  std::list<Open> open_;  // of the loop's thread
  bool draining_ = false;
  LoopThread thread_;
};

}  // namespace duplex::app
