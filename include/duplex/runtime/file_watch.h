// FileWatch: tells when one of some files is another than before, by looking now and then. Looking sees what inotify
// does not: a file system from elsewhere, and a link that is turned to another folder, as Kubernetes does with its
// volumes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

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

// Several files, looked at by whoever asks.
class FileMarks {
 public:
  // From what the files are now; they need not exist.
  explicit FileMarks(const std::vector<std::string>& paths);
  // From now on these; one that was watched before is compared with what it was then.
  void watch(const std::vector<std::string>& paths);
  // Has one changed since the last time this said so, and have all then stayed the same for one more look, so that none
  // is read while it is written?
  bool changed();

 private:
  using Marks = std::map<std::string, FileMark>;
  Marks known_, last_;
};

class FileWatch {
 public:
  explicit FileWatch(std::string path, Duration every = std::chrono::seconds(1));
  void watch(const std::vector<std::string>& paths) { marks_.watch(paths); }
  // OK when FileMarks says that one has changed; or why ctx was cancelled.
  Task<Status> changed(Context& ctx);

 private:
  const Duration every_;
  FileMarks marks_;
};

}  // namespace duplex
