// FileWatch: tells when a file is another one than before, by looking now and then. Looking sees what inotify does not:
// a file system from elsewhere, and a link that is turned to another folder, as Kubernetes does with its volumes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "duplex/runtime/wait.h"

namespace duplex {

// Tells a file from what it is after a change; all that is not there are alike.
struct FileMark {
  static FileMark of(const std::string& path);
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  int64_t seconds = 0, nanoseconds = 0;  // of its last modification
  friend bool operator==(const FileMark&, const FileMark&) = default;
};

class FileWatch {
 public:
  // From what the file is now; it need not exist.
  explicit FileWatch(std::string path, Duration every = std::chrono::seconds(1));
  const std::string& path() const { return path_; }
  // OK when the file has changed since the last time this said so and has then stayed the same for one more look, so
  // that a file is not read while it is written; or why ctx was cancelled.
  Task<Status> changed(Context& ctx);

 private:
  const std::string path_;
  const Duration every_;
  FileMark known_;
};

}  // namespace duplex
