#include "duplex/runtime/file_watch.h"

#include <sys/stat.h>

namespace duplex {

FileWatch::FileWatch(std::string path, Duration every) : path_(std::move(path)), every_(every), known_(look()) {}

FileWatch::Mark FileWatch::look() const {
  struct stat found{};
  if (::stat(path_.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim};
}

Task<Status> FileWatch::changed(Context& ctx) {
  for (Mark last = known_;;) {
    if (Status s = co_await sleep(ctx, every_); !s.is_ok()) co_return s;
    const Mark now = look();
    if (!(now == known_) && now == last) {
      known_ = now;
      co_return Status();
    }
    last = now;
  }
}

}  // namespace duplex
