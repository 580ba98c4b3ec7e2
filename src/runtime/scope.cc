#include "duplex/runtime/scope.h"

#include <cstdio>
#include <cstdlib>

namespace duplex {

Scope::~Scope() {
  if (running_ == 0) return;
  std::fprintf(stderr, "duplex: a Scope of %.*s ends with %zu children running; co_await scope.join() first\n",
               static_cast<int>(ctx_.label().size()), ctx_.label().data(), running_);
  std::abort();
}

void Scope::child_ended() {
  if (--running_ == 0) ended_.notify_all();
}

void Scope::report_escaped() noexcept {
  try {
    throw;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "duplex: an exception left a spawned task: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "duplex: an exception left a spawned task\n");
  }
}

Task<void> Scope::join() {
  Context unhurried(ctx_.loop());
  unhurried.set_label(ctx_.label_address());
  while (running_ > 0) co_await ended_.wait(unhurried);
}

Task<bool> Scope::join(Time until) {
  Context bounded(ctx_.loop());
  bounded.set_label(ctx_.label_address());
  bounded.set_deadline(until);
  Status waited;
  while (waited.is_ok() && running_ > 0) waited = co_await ended_.wait(bounded);
  co_return running_ == 0;
}

}  // namespace duplex
