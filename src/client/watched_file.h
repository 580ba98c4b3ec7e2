// WatchedFile: a file of endpoints, read again when it has changed.
//
// It is looked at when somebody asks, by stat(2): that sees a file that was written, renamed into place or swapped
// behind a symbolic link (as Kubernetes does), on any file system, and costs a microsecond.
#pragma once

#include <string>
#include <vector>

#include "duplex/client/origin.h"
#include "duplex/runtime/file_watch.h"

namespace duplex::client {

class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}
  // Reads it if it has changed. What is wrong with it now; then list() is still what it said when it was last right.
  const Status& look();
  const std::vector<Origin>& list() const { return list_; }

 private:
  const std::string path_;
  bool looked_ = false;
  FileMark mark_;
  Status mistake_;
  std::vector<Origin> list_;
};

}  // namespace duplex::client
