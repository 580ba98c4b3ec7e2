#include "duplex/runtime/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <vector>

namespace duplex {
namespace {
int signal_pipe = -1;  // the handler may only write to it (signal-safety(7))

void note(int number) {
  int saved = errno;
  auto octet = static_cast<unsigned char>(number);
  [[maybe_unused]] auto n = ::write(signal_pipe, &octet, 1);
  errno = saved;
}
}  // namespace

struct Signals::State {
  Channel<int> arrived{64};
  std::vector<std::pair<int, struct sigaction>> before;
  int ends[2] = {-1, -1};
  std::thread reader;
};

Signals::Signals(std::initializer_list<int> numbers) : state_(new State) {
  if (::pipe2(state_->ends, O_CLOEXEC) < 0) std::abort();
  signal_pipe = state_->ends[1];
  for (int number : numbers) {
    struct sigaction action{}, old{};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, &old);
    state_->before.emplace_back(number, old);
  }
  state_->reader = std::thread([state = state_] {
    unsigned char number;
    while (::read(state->ends[0], &number, 1) == 1 && number != 0) state->arrived.try_send(number);
  });
}

Signals::~Signals() {
  for (auto& [number, old] : state_->before) ::sigaction(number, &old, nullptr);
  unsigned char stop = 0;
  [[maybe_unused]] auto n = ::write(state_->ends[1], &stop, 1);
  state_->reader.join();
  signal_pipe = -1;
  ::close(state_->ends[0]);
  ::close(state_->ends[1]);
  delete state_;
}

Task<Result<int>> Signals::next(Context& ctx) {
  auto number = co_await state_->arrived.receive(ctx);
  if (!number) co_return number.error();
  co_return **number;
}

}  // namespace duplex
