#include "client/watched_file.h"

#include <sys/stat.h>

namespace duplex::client {

WatchedFile::Stamp WatchedFile::stamp_of(const std::string& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return {};
  return {s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec};
}

const Status& WatchedFile::look() {
  // Before it is read: a change meanwhile is seen the next time.
  const Stamp now = stamp_of(path_);
  if (looked_ && now == stamp_) return mistake_;
  looked_ = true;
  stamp_ = now;
  Result<std::vector<Origin>> read = read_origins_file(path_);
  mistake_ = read ? Status() : Status::unavailable("the endpoints of " + path_ + ": " + read.error().message());
  if (read) list_ = std::move(*read);
  return mistake_;
}

}  // namespace duplex::client
