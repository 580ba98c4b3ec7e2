#include "duplex/runtime/file_watch.h"

#include <sys/stat.h>

namespace duplex {

FileMark FileMark::of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

FileWatch::FileWatch(std::string path, Duration every) : every_(every) { watch({std::move(path)}); }

void FileWatch::watch(const std::vector<std::string>& paths) {
  Marks marks;
  for (const std::string& path : paths) {
    auto before = known_.find(path);
    marks[path] = before != known_.end() ? before->second : FileMark::of(path);
  }
  known_ = std::move(marks);
}

FileWatch::Marks FileWatch::look() const {
  Marks now;
  for (const auto& [path, mark] : known_) now[path] = FileMark::of(path);
  return now;
}
FileMarks::FileMarks(std::vector<std::string> paths) : paths_(std::move(paths)), known_(look()), last_(known_) {}

std::vector<FileMark> FileMarks::look() const {
  std::vector<FileMark> marks;
  for (const std::string& path : paths_) marks.push_back(FileMark::of(path));
  return marks;
}

bool FileMarks::changed() {
  std::vector<FileMark> now = look();
  const bool settled = now != known_ && now == last_;
  if (settled) known_ = now;
  last_ = std::move(now);
  return settled;
}

FileWatch::FileWatch(std::string path, Duration every)
    : path_(std::move(path)), every_(every), known_(FileMark::of(path_)) {}

Task<Status> FileWatch::changed(Context& ctx) {
  for (Marks last = known_;;) {
    if (Status s = co_await sleep(ctx, every_); !s.is_ok()) co_return s;
    Marks now = look();
    if (now != known_ && now == last) {
      known_ = std::move(now);
      co_return Status();
    }
    last = std::move(now);
  }
}

}  // namespace duplex
