// Inside a Reader or Writer: the SQLite connection, its statements, and the transaction around the user's function.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <unordered_map>

#include "duplex/store/connection.h"
#include "duplex/store/database.h"

namespace duplex::store {

namespace detail {
struct CachedStatement {
  sqlite3_stmt* stmt = nullptr;
  bool busy = false;
  uint64_t used = 0;  // the connection's count of uses when this was last wanted
};
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
}  // namespace detail

struct Reader::Impl {
  sqlite3* db = nullptr;
  size_t statement_limit = 0;
  std::unordered_map<std::string, detail::CachedStatement, detail::TextHash, std::equal_to<>> statements;
  uint64_t uses = 0;
  bool own = false;        // a statement of the Database's own is at work: it may BEGIN and COMMIT
  Time deadline = kNever;  // running statements are cut short past it

  Impl() = default;
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<sqlite3_stmt*> compile(std::string_view sql, bool keep);
  // A cached statement that is not in use; null: this SQL is at work already, further out on the stack.
  Result<detail::CachedStatement*> cached(std::string_view sql);
  void make_room();

  // A statement of the Database's own, such as COMMIT: SQLite's result code, SQLITE_OK when done.
  int control(const char* sql);
  Status control_status(const char* sql);
  // A script of the Database's own or of a migration (`own` says which); no statement of it is cached.
  Status script(const char* sql, bool own_script);
  Result<int64_t> pragma(const char* sql);
  bool in_transaction() const;
};

namespace detail {
enum class Mode { kRead, kWrite };
// WAL and synchronous=FULL are made sure of when it writes.
Result<std::unique_ptr<Reader::Impl>> open_connection(const std::filesystem::path& path, Mode mode,
                                                      const Options& options);
}  // namespace detail
}  // namespace duplex::store
