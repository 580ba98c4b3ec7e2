#include "store/errors.h"

#include <sqlite3.h>

#include <string>

namespace duplex::store::detail {
namespace {

constexpr size_t kSqlShown = 500;

Code code_for(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return Code::kAlreadyExists;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return Code::kFailedPrecondition;
    case SQLITE_PERM:
      return Code::kPermissionDenied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Code::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kDataLoss;
    case SQLITE_INTERRUPT:
      return Code::kDeadlineExceeded;
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return Code::kInvalidArgument;
    case SQLITE_ABORT:
      return Code::kAborted;
    default:
      return Code::kInternal;
  }
}

}  // namespace

Status error_status(sqlite3* db, int rc, std::string_view sql) {
  // The connection's own code is the fuller one, unless it is of another call.
  int extended = db ? sqlite3_extended_errcode(db) : rc;
  if ((extended & 0xff) != (rc & 0xff)) extended = rc;
  std::string text = db && (sqlite3_errcode(db) & 0xff) == (rc & 0xff) ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  if ((rc & 0xff) == SQLITE_AUTH)
    text += " (the Database keeps transactions, attached files and the file's settings itself)";
  if ((rc & 0xff) == SQLITE_INTERRUPT) text = "the deadline passed while the statement ran";
  if (!sql.empty()) {
    text += "; the SQL: ";
    text += sql.substr(0, kSqlShown);
    if (sql.size() > kSqlShown) text += "...";
  }
  return Status(code_for(extended), std::move(text));
}

Status commit_failed(const Status& why, int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return Status::unavailable("the commit failed and nothing was kept: " + why.message());
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Status::data_loss("the commit failed: " + why.message());
    default:
      // The frames may have reached the file before its sync failed; recovery would then find them.
      return Status::internal("the commit failed, and whether it was kept shows only after a restart: " +
                              why.message());
  }
}

}  // namespace duplex::store::detail
