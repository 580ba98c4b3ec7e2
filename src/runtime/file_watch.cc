#include "duplex/runtime/file_watch.h"

#include <sys/stat.h>

namespace duplex {

FileMark FileMark::of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

FileWatch::FileWatch(std::string path, Duration every)
    : path_(std::move(path)), every_(every), known_(FileMark::of(path_)) {}

Task<Status> FileWatch::changed(Context& ctx) {
  for (FileMark last = known_;;) {
    if (Status s = co_await sleep(ctx, every_); !s.is_ok()) co_return s;
    const FileMark now = FileMark::of(path_);
    if (now != known_ && now == last) {
      known_ = now;
      co_return Status();
    }
    last = now;
  }
}

}  // namespace duplex
