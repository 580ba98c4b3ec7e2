#include "app/worker.h"

namespace duplex::app {

void Worker::take(Fd socket, std::string peer) {
  connections_.fetch_add(1, std::memory_order_relaxed);
  thread_.loop().post([this, socket = std::move(socket), peer = std::move(peer)]() mutable {
    if (draining_) {
      connections_.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    thread_.scope().spawn([this](Context& ctx, int fd, std::string from) { return serve(ctx, fd, std::move(from)); },
                          socket.release(), std::move(peer));
  });
}

void Worker::on_root(std::function<void(Context&)> f) {
  thread_.loop().post([this, f = std::move(f)] { f(thread_.scope().context()); });
}

Task<void> Worker::serve(Context& ctx, int fd, std::string peer) {
  open_.push_back({nullptr, &ctx});
  auto mine = std::prev(open_.end());
  co_await http::serve_connection(ctx, fd, std::move(peer), options_, &mine->connection);
  open_.erase(mine);
  connections_.fetch_sub(1, std::memory_order_relaxed);
}

void Worker::begin_stop(Duration grace) {
  thread_.loop().post([this] {
    draining_ = true;
    for (Open& open : open_)
      if (open.connection)
        open.connection->drain();
      else
        open.context->cancel(Status::unavailable("the process is stopping"));
  });
  thread_.begin_stop(grace);
}

}  // namespace duplex::app
