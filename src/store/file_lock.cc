#include "store/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <system_error>

namespace duplex::store::detail {
namespace {

std::string what_failed(int error) { return std::generic_category().message(error); }

std::string holder(int fd) {
  char text[256];
  ssize_t size = pread(fd, text, sizeof text, 0);
  std::string who(text, size > 0 ? static_cast<size_t>(size) : 0);
  while (!who.empty() && (who.back() == '\n' || who.back() == '\0')) who.pop_back();
  return who.empty() ? "another process" : who;
}

}  // namespace

Result<std::unique_ptr<FileLock>> FileLock::take(const std::filesystem::path& path) {
  std::string name = path.string() + "-lock";
  int fd = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Status::failed_precondition(name + ": " + what_failed(errno));
  std::unique_ptr<FileLock> lock(new FileLock(fd));
  int rc = 0;
  do rc = flock(fd, LOCK_EX | LOCK_NB);
  while (rc != 0 && errno == EINTR);
  if (rc != 0) {
    if (errno != EWOULDBLOCK) return Status::failed_precondition(name + ": " + what_failed(errno));
    std::string who = holder(fd);
    if (who.starts_with("process " + std::to_string(getpid()) + " ")) who = "this process";
    return Status::failed_precondition(path.string() + " is in use by " + who +
                                       ". A SQLite file serves one Database of one process; for more than one process "
                                       "of a service use PostgreSQL");
  }
  std::string who = "process " + std::to_string(getpid()) + " (" + program_invocation_short_name + ")\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, who.data(), who.size(), 0) < 0)
    return Status::failed_precondition(name + ": " + what_failed(errno));
  return lock;
}

// The file stays: were it removed, one process could lock the old one while a second makes a new one.
FileLock::~FileLock() { close(fd_); }

}  // namespace duplex::store::detail
