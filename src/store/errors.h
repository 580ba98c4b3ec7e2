// SQLite's result codes (https://sqlite.org/rescode.html) as Status.
#pragma once

#include <string_view>

#include "duplex/base/status.h"

struct sqlite3;

namespace duplex::store::detail {

// Of the call on `db` that returned `rc`: SQLite's message, and the SQL's text with its `?`, never its values.
Status error_status(sqlite3* db, int rc, std::string_view sql);

// What a failed COMMIT means for those who waited for it.
Status commit_failed(const Status& why, int rc);

}  // namespace duplex::store::detail
