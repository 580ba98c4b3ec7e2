// For the tests of this room: a folder of their own, a database in it, and a second process.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <latch>
#include <string>

#include "duplex/runtime/run.h"
#include "duplex/store/database.h"

namespace duplex::store::testing {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "duplex-store-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path file() const { return path_ / "test.db"; }

 private:
  std::filesystem::path path_;
};

inline Options with_table() {
  Options options;
  options.migrations = {"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, size REAL CHECK(size >= 0))"};
  return options;
}

inline std::unique_ptr<Database> must_open(const std::filesystem::path& path, Options options = with_table()) {
  auto db = Database::open(path, std::move(options));
  if (!db) ADD_FAILURE() << db.error().to_string();
  return db ? std::move(*db) : nullptr;
}

inline Task<Result<int64_t>> add(Context& ctx, Database& db, int64_t id) {
  return db.write(ctx, [id](Writer& w) { return w.execute("INSERT INTO item(id) VALUES (?)", id); });
}

inline Task<Result<int64_t>> count(Context& ctx, Database& db) {
  return db.read(ctx, [](Reader& r) -> Result<int64_t> {
    auto n = r.query_one<int64_t>("SELECT count(*) FROM item");
    if (!n) return n.error();
    return **n;
  });
}

// Holds the writing thread inside a write until release(): what is written meanwhile waits in the queue.
class Blocker {
 public:
  Blocker(Scope& scope, Database& db) {
    scope.spawn([this, &db](Context& ctx) -> Task<void> {
      (void)co_await db.write(ctx, [this](Writer&) -> Status {
        begun_.count_down();
        go_.wait();
        return Status();
      });
    });
    begun_.wait();
  }
  void release() { go_.count_down(); }

 private:
  std::latch begun_{1}, go_{1};
};

}  // namespace duplex::store::testing
