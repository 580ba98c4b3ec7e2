#include "duplex/store/statement.h"

#include <sqlite3.h>

#include "store/connection.h"
#include "store/errors.h"

namespace duplex::store {
namespace {

std::string_view type_name(int type) {
  switch (type) {
    case SQLITE_INTEGER:
      return "INTEGER";
    case SQLITE_FLOAT:
      return "REAL";
    case SQLITE_TEXT:
      return "TEXT";
    case SQLITE_BLOB:
      return "BLOB";
    default:
      return "NULL";
  }
}

}  // namespace

Statement::Statement(Statement&& o) noexcept
    : db_(o.db_), stmt_(std::exchange(o.stmt_, nullptr)), cached_(std::exchange(o.cached_, nullptr)), copy_(o.copy_) {}

Statement& Statement::operator=(Statement&& o) noexcept {
  if (this == &o) return *this;
  release();
  db_ = o.db_;
  stmt_ = std::exchange(o.stmt_, nullptr);
  cached_ = std::exchange(o.cached_, nullptr);
  copy_ = o.copy_;
  return *this;
}

Statement::~Statement() { release(); }

void Statement::release() {
  if (!stmt_) return;
  if (cached_) {
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_);  // what was bound without a copy is about to go
    cached_->busy = false;
  } else {
    sqlite3_finalize(stmt_);
  }
  stmt_ = nullptr;
}

Result<bool> Statement::step() {
  int rc = sqlite3_step(stmt_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return detail::error_status(db_, rc, sqlite3_sql(stmt_));
}

int Statement::columns() const { return sqlite3_column_count(stmt_); }

Status Statement::expect_parameters(size_t count) const {
  auto wanted = static_cast<size_t>(sqlite3_bind_parameter_count(stmt_));
  if (wanted == count) return Status();
  return Status::invalid_argument("the SQL has " + std::to_string(wanted) + " parameters, " + std::to_string(count) +
                                  " were given; the SQL: " + sqlite3_sql(stmt_));
}

Status Statement::bound(int rc) const {
  return rc == SQLITE_OK ? Status() : detail::error_status(db_, rc, sqlite3_sql(stmt_));
}

Status Statement::too_large(int at) const {
  return Status::invalid_argument("parameter " + std::to_string(at) +
                                  " is above 2^63-1, the largest INTEGER; the SQL: " + sqlite3_sql(stmt_));
}

Status Statement::bind_null(int at) { return bound(sqlite3_bind_null(stmt_, at)); }
Status Statement::bind_integer(int at, int64_t value) { return bound(sqlite3_bind_int64(stmt_, at, value)); }
Status Statement::bind_real(int at, double value) { return bound(sqlite3_bind_double(stmt_, at, value)); }

// A null pointer would bind NULL, and an empty text is none.
Status Statement::bind_text(int at, std::string_view text) {
  return bound(sqlite3_bind_text64(stmt_, at, text.data() ? text.data() : "", text.size(),
                                   copy_ ? SQLITE_TRANSIENT : SQLITE_STATIC, SQLITE_UTF8));
}
Status Statement::bind_blob(int at, std::string_view bytes) {
  return bound(sqlite3_bind_blob64(stmt_, at, bytes.data() ? bytes.data() : "", bytes.size(),
                                   copy_ ? SQLITE_TRANSIENT : SQLITE_STATIC));
}

bool Statement::is_null(int column) const {
  return column < sqlite3_column_count(stmt_) && sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

Status Statement::mismatch(int column, std::string_view wanted) const {
  std::string text;
  if (column >= sqlite3_column_count(stmt_)) {
    text = "there is no column " + std::to_string(column + 1);
  } else {
    const char* name = sqlite3_column_name(stmt_, column);
    text = "column " + std::to_string(column + 1) + " (" + (name ? name : "?") + ") holds " +
           std::string(type_name(sqlite3_column_type(stmt_, column)));
  }
  return Status::internal(text + ", " + std::string(wanted) + " was asked for; the SQL: " + sqlite3_sql(stmt_));
}

Status Statement::out_of_range(int column) const { return mismatch(column, "a value that fits a smaller integer"); }

Status Statement::read_integer(int column, int64_t& out) const {
  if (sqlite3_column_type(stmt_, column) != SQLITE_INTEGER) return mismatch(column, "an integer");
  out = sqlite3_column_int64(stmt_, column);
  return Status();
}

Status Statement::read_real(int column, double& out) const {
  int type = sqlite3_column_type(stmt_, column);
  if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) return mismatch(column, "a number");
  out = sqlite3_column_double(stmt_, column);
  return Status();
}

Status Statement::read_text(int column, std::string_view& out) const {
  int type = sqlite3_column_type(stmt_, column);
  if (type != SQLITE_TEXT && type != SQLITE_BLOB) return mismatch(column, "text or bytes");
  const void* data = type == SQLITE_TEXT ? sqlite3_column_text(stmt_, column) : sqlite3_column_blob(stmt_, column);
  // After the data: asked before, the size could be of another encoding.
  auto size = static_cast<size_t>(sqlite3_column_bytes(stmt_, column));
  out = data ? std::string_view(static_cast<const char*>(data), size) : std::string_view();
  return Status();
}

}  // namespace duplex::store
