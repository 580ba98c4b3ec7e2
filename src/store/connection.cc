#include "store/connection.h"

#include <sqlite3.h>
#include <strings.h>

#include <algorithm>

#include "store/errors.h"

namespace duplex::store {
namespace {

// Asked when SQL is compiled, about what it would do.
int authorize(void* impl, int action, const char* first, const char* second, const char*, const char*) {
  if (static_cast<Reader::Impl*>(impl)->own) return SQLITE_OK;
  switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      return SQLITE_DENY;
    case SQLITE_PRAGMA: {
      if (!second) return SQLITE_OK;  // asks, sets nothing
      static constexpr const char* kOurs[] = {"user_version", "journal_mode", "synchronous",     "locking_mode",
                                              "foreign_keys", "query_only",   "writable_schema", "busy_timeout"};
      for (const char* ours : kOurs)
        if (strcasecmp(first, ours) == 0) return SQLITE_DENY;
      return SQLITE_OK;
    }
    default:
      return SQLITE_OK;
  }
}

int past_deadline(void* impl) { return Clock::now() > static_cast<Reader::Impl*>(impl)->deadline; }
constexpr int kStepsBetweenLooks = 10'000;  // of SQLite's virtual machine: some 0.1 ms

}  // namespace

Reader::Impl::~Impl() {
  for (auto& [sql, cached] : statements) sqlite3_finalize(cached.stmt);
  sqlite3_close_v2(db);
}

Result<sqlite3_stmt*> Reader::Impl::compile(std::string_view sql, bool keep) {
  sqlite3_stmt* stmt = nullptr;
  const char* tail = nullptr;
  int rc = sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), keep ? SQLITE_PREPARE_PERSISTENT : 0, &stmt,
                              &tail);
  if (rc != SQLITE_OK) return detail::error_status(db, rc, sql);
  if (!stmt) return Status::invalid_argument("the SQL is empty");
  // What follows may be white space and comments only.
  sqlite3_stmt* next = nullptr;
  const char* end = sql.data() + sql.size();
  if (tail && tail != end) {
    rc = sqlite3_prepare_v3(db, tail, static_cast<int>(end - tail), 0, &next, nullptr);
    if (next || rc != SQLITE_OK) {
      sqlite3_finalize(next);
      sqlite3_finalize(stmt);
      return Status::invalid_argument("one statement at a time; the SQL: " + std::string(sql.substr(0, 500)));
    }
  }
  return stmt;
}

Result<detail::CachedStatement*> Reader::Impl::cached(std::string_view sql) {
  auto found = statements.find(sql);
  if (found == statements.end()) {
    Result<sqlite3_stmt*> stmt = compile(sql, true);
    if (!stmt) return stmt.error();
    make_room();
    found = statements.emplace(std::string(sql), detail::CachedStatement()).first;
    found->second.stmt = *stmt;
  } else if (found->second.busy) {
    return static_cast<detail::CachedStatement*>(nullptr);
  }
  found->second.used = ++uses;
  return &found->second;
}

void Reader::Impl::make_room() {
  if (statements.size() < statement_limit) return;
  auto oldest = statements.end();
  for (auto it = statements.begin(); it != statements.end(); ++it)
    if (!it->second.busy && (oldest == statements.end() || it->second.used < oldest->second.used)) oldest = it;
  if (oldest == statements.end()) return;
  sqlite3_finalize(oldest->second.stmt);
  statements.erase(oldest);
}

int Reader::Impl::control(const char* sql) {
  own = true;
  int rc = SQLITE_ERROR;
  if (Result<detail::CachedStatement*> found = cached(sql); found && *found) {
    sqlite3_stmt* stmt = (*found)->stmt;
    rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (rc == SQLITE_DONE || rc == SQLITE_ROW) rc = SQLITE_OK;
  } else {
    rc = sqlite3_errcode(db);
  }
  own = false;
  return rc;
}

Status Reader::Impl::control_status(const char* sql) {
  int rc = control(sql);
  return rc == SQLITE_OK ? Status() : detail::error_status(db, rc, sql);
}

Status Reader::Impl::script(const char* sql, bool own_script) {
  own = own_script;
  int rc = sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
  own = false;
  return rc == SQLITE_OK ? Status() : detail::error_status(db, rc, {});
}

Result<int64_t> Reader::Impl::pragma(const char* sql) {
  Result<sqlite3_stmt*> stmt = compile(sql, false);
  if (!stmt) return stmt.error();
  int rc = sqlite3_step(*stmt);
  int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(*stmt, 0) : 0;
  sqlite3_finalize(*stmt);
  if (rc == SQLITE_ROW) return value;
  if (rc == SQLITE_DONE) return Status::not_found(std::string("no row: ") + sql);
  return detail::error_status(db, rc, sql);
}

bool Reader::Impl::in_transaction() const { return !sqlite3_get_autocommit(db); }

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::~Reader() = default;

Result<Statement> Reader::find(std::string_view sql) {
  // An error (disk full, OR ROLLBACK) has ended the transaction: what came now would be kept by itself.
  if (!impl_->in_transaction()) return Status::aborted("SQLite undid the transaction at an earlier error");
  Result<detail::CachedStatement*> found = impl_->cached(sql);
  if (!found) return found.error();
  if (*found) {
    (*found)->busy = true;
    return Statement(impl_->db, (*found)->stmt, *found);
  }
  Result<sqlite3_stmt*> stmt = impl_->compile(sql, false);
  if (!stmt) return stmt.error();
  return Statement(impl_->db, *stmt, nullptr);
}

int64_t Writer::last_insert_rowid() { return sqlite3_last_insert_rowid(impl().db); }
int64_t Writer::changes() { return sqlite3_changes64(impl().db); }
int64_t Writer::total_changes() { return sqlite3_total_changes64(impl().db); }

Result<std::unique_ptr<Reader::Impl>> detail::open_connection(const std::filesystem::path& path, Mode mode,
                                                              const Options& options) {
  auto impl = std::make_unique<Reader::Impl>();
  impl->statement_limit = std::max<size_t>(options.statements, 16);
  // One thread at a time uses it, so SQLite need not lock.
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
              (mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  int rc = sqlite3_open_v2(path.c_str(), &impl->db, flags, nullptr);
  if (rc != SQLITE_OK) {
    Status why = error_status(impl->db, rc, {});
    return Status(why.code(), path.string() + ": " + why.message());
  }
  auto busy = std::chrono::duration_cast<std::chrono::milliseconds>(options.busy).count();
  sqlite3_busy_timeout(impl->db, static_cast<int>(std::clamp<int64_t>(busy, 0, 3'600'000)));
  if (mode == Mode::kWrite) {
    Result<sqlite3_stmt*> wal = impl->compile("PRAGMA journal_mode = WAL", false);
    if (!wal) return Status(wal.error().code(), path.string() + ": " + wal.error().message());
    rc = sqlite3_step(*wal);
    const unsigned char* journal = rc == SQLITE_ROW ? sqlite3_column_text(*wal, 0) : nullptr;
    bool is_wal = journal && std::string_view(reinterpret_cast<const char*>(journal)) == "wal";
    Status why = rc == SQLITE_ROW ? Status::failed_precondition("its file system cannot hold a write-ahead log")
                                  : error_status(impl->db, rc, {});
    sqlite3_finalize(*wal);
    if (!is_wal) return Status(why.code(), path.string() + ": " + why.message());
    // A log that a long read made grow is cut back to this at the next checkpoint.
    if (Status s = impl->script("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864", true); !s.is_ok())
      return s;
  } else {
    sqlite3_progress_handler(impl->db, kStepsBetweenLooks, past_deadline, impl.get());
  }
  sqlite3_set_authorizer(impl->db, authorize, impl.get());
  return impl;
}

}  // namespace duplex::store
