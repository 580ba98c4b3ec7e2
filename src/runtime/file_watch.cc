#include "duplex/runtime/file_watch.h"

#include <sys/stat.h>

namespace duplex {

FileMark FileMark::of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

FileMarks::FileMarks(const std::vector<std::string>& paths) { watch(paths); }

void FileMarks::watch(const std::vector<std::string>& paths) {
  Marks marks;
  for (const std::string& path : paths) {
    auto before = known_.find(path);
    marks[path] = before != known_.end() ? before->second : FileMark::of(path);
  }
  last_ = known_ = std::move(marks);
}

bool FileMarks::changed() {
  Marks now;
  for (const auto& [path, mark] : known_) now[path] = FileMark::of(path);
  const bool settled = now != known_ && now == last_;
  if (settled) known_ = now;
  last_ = std::move(now);
  return settled;
}

FileWatch::FileWatch(std::string path, Duration every)
    : every_(every), marks_(std::vector<std::string>(1, std::move(path))) {}

Task<Status> FileWatch::changed(Context& ctx) {
  for (;;) {
    if (Status s = co_await sleep(ctx, every_); !s.is_ok()) co_return s;
    if (marks_.changed()) co_return Status();
  }
}

}  // namespace duplex
