// FileLock: one process, and one Database of it, has the file.
#pragma once

#include <filesystem>
#include <memory>

#include "duplex/base/status.h"

namespace duplex::store::detail {

// flock on "<path>-lock": the kernel drops it when the last descriptor goes, so a killed process leaves nothing behind.
// Not on the file itself, where a network file system would take it for one of SQLite's own locks.
class FileLock {
 public:
  // FAILED_PRECONDITION: another has it; the message says who, as that one wrote it into the lock's file.
  static Result<std::unique_ptr<FileLock>> take(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace duplex::store::detail
