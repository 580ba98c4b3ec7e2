#include "client/watched_file.h"

namespace duplex::client {

const Status& WatchedFile::look() {
  // Before it is read: a change meanwhile is seen the next time.
  const FileMark now = FileMark::of(path_);
  if (looked_ && now == mark_) return mistake_;
  looked_ = true;
  mark_ = now;
  Result<std::vector<Origin>> read = read_origins_file(path_);
  mistake_ = read ? Status() : Status::unavailable("the endpoints of " + path_ + ": " + read.error().message());
  if (read) list_ = std::move(*read);
  return mistake_;
}

}  // namespace duplex::client
