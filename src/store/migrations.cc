#include "store/migrations.h"

namespace duplex::store::detail {
namespace {

Status run_one(Reader::Impl& connection, const std::string& sql, size_t number) {
  if (Status s = connection.script("BEGIN IMMEDIATE", true); !s.is_ok()) return s;
  if (Status s = connection.script(sql.c_str(), false); !s.is_ok()) return s;
  // "INSERT OR ROLLBACK" ends the transaction without an error of its own to show for it later.
  if (!connection.in_transaction()) return Status::failed_precondition("the script ended its transaction");
  Result<int64_t> broken = connection.pragma("SELECT count(*) FROM pragma_foreign_key_check");
  if (!broken) return broken.error();
  if (*broken) return Status::failed_precondition(std::to_string(*broken) + " rows refer to rows that are not there");
  std::string version = "PRAGMA user_version = " + std::to_string(number) + "; COMMIT";
  return connection.script(version.c_str(), true);
}

}  // namespace

Status migrate(Reader::Impl& connection, const std::vector<std::string>& scripts) {
  Result<int64_t> seen = connection.pragma("PRAGMA user_version");
  if (!seen) return seen.error();
  if (*seen < 0 || static_cast<uint64_t>(*seen) > scripts.size())
    return Status::failed_precondition("the file has seen " + std::to_string(*seen) + " migrations, this program has " +
                                       std::to_string(scripts.size()) +
                                       ": it belongs to a newer version of the program, or to another program");
  for (size_t n = static_cast<size_t>(*seen) + 1; n <= scripts.size(); ++n) {
    Status s = run_one(connection, scripts[n - 1], n);
    if (s.is_ok()) continue;
    if (connection.in_transaction()) (void)connection.script("ROLLBACK", true);
    Code code = s.code() == Code::kDataLoss || s.code() == Code::kUnavailable || s.code() == Code::kResourceExhausted
                    ? s.code()
                    : Code::kFailedPrecondition;
    return Status(code,
                  "migration " + std::to_string(n) + " of " + std::to_string(scripts.size()) + ": " + s.message());
  }
  return Status();
}

}  // namespace duplex::store::detail
