#include "duplex/runtime/task.h"

#include <string_view>

#include "duplex/runtime/loop.h"

namespace duplex::detail {

void abort_task_destroyed_while_running() {
  std::string_view label = "(no method)";
  if (Loop* loop = Loop::current())
    if (auto* running = loop->running()) label = *running;
  std::fprintf(stderr, "duplex: a Task was destroyed while it runs; at work: %.*s. Await it, or give it to a Scope.\n",
               static_cast<int>(label.size()), label.data());
  std::abort();
}

}  // namespace duplex::detail
