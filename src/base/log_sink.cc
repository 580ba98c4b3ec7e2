#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "duplex/base/log.h"

namespace duplex {

LogSink::LogSink(int fd) : fd_(fd) {
  struct stat about{};
  if (fstat(fd, &about) != 0) return;
  socket_ = S_ISSOCK(about.st_mode);
  if (!S_ISFIFO(about.st_mode) && !S_ISCHR(about.st_mode)) return;
  // O_NONBLOCK set on fd itself would reach every process that shares it; a description of our own does not.
  int own = ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (own >= 0) {
    fd_ = own;
    owned_ = true;
  } else {
    may_block_ = true;
  }
}

LogSink::~LogSink() {
  if (owned_) ::close(fd_);
}

Result<std::unique_ptr<LogSink>> LogSink::open(const std::string& path) {
  if (path == "stdout") return std::make_unique<LogSink>(STDOUT_FILENO);
  if (path == "stderr") return std::make_unique<LogSink>(STDERR_FILENO);
  int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
  if (fd < 0) return Status::failed_precondition("cannot open the log file " + path + ": " + std::strerror(errno));
  auto sink = std::make_unique<LogSink>(fd);
  if (sink->owned_) ::close(fd);  // a named pipe: it has been opened again
  sink->owned_ = true;
  return sink;
}

long LogSink::write_some(std::string_view text) {
  for (;;) {
    if (may_block_) {
      // Readiness promises room for PIPE_BUF octets and no more.
      pollfd ask{fd_, POLLOUT, 0};
      if (::poll(&ask, 1, 0) != 1 || !(ask.revents & POLLOUT)) return 0;
      text = text.substr(0, PIPE_BUF);
    }
    writes_.fetch_add(1, std::memory_order_relaxed);
    ssize_t n = socket_ ? ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                        : ::write(fd_, text.data(), text.size());
    if (n >= 0 || errno != EINTR) return n;
  }
}

size_t LogSink::write(std::string_view lines) {
  std::lock_guard lock(mutex_);
  if (!rest_.empty()) {
    long n = write_some(rest_);
    if (n > 0) rest_.erase(0, static_cast<size_t>(n));
    if (!rest_.empty()) return 0;
  }
  long n = write_some(lines);
  if (n <= 0) return 0;  // full, or a reader that has gone: to the log these are the same
  auto taken = static_cast<size_t>(n);
  if (lines[taken - 1] == '\n') return taken;
  size_t end = lines.find('\n', taken);
  end = end == std::string_view::npos ? lines.size() : end + 1;
  rest_ = lines.substr(taken, end - taken);
  return end;
}

}  // namespace duplex
