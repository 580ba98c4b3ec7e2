// Reader and Writer: what a function given to Database::read or Database::write works with.
//
// Both are one SQLite connection, used by one thread at a time, with a cache of prepared statements by their SQL. The
// transaction belongs to the Database: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ATTACH and the PRAGMAs that would change how
// the file is kept are refused (FAILED_PRECONDITION). A call takes one SQL statement; its values go in as parameters.
#pragma once

#include <memory>
#include <tuple>
#include <vector>

#include "duplex/base/time.h"
#include "duplex/store/statement.h"

namespace duplex::store {

namespace detail {
template <class... Columns>
struct RowOf {
  using type = std::tuple<Columns...>;
};
template <class Column>
struct RowOf<Column> {
  using type = Column;
};
}  // namespace detail

// One column: the column itself. More: a std::tuple of them.
template <class... Columns>
using Row = typename detail::RowOf<Columns...>::type;

class Reader {
 public:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);  // by open_connection() in src/store/connection.h
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // All rows: `query<int64_t, std::string>("SELECT id, name FROM customer WHERE city = ?", city)`. They are kept in
  // memory, so the SQL says its LIMIT; each() needs no memory.
  template <class... Columns, class... Args>
  Result<std::vector<Row<Columns...>>> query(std::string_view sql, const Args&... args) {
    static_assert((!std::is_same_v<Columns, std::string_view> && ...), "a view does not outlive its row: std::string");
    std::vector<Row<Columns...>> rows;
    Status failed = step_through<Columns...>(
        sql,
        [&](auto& row) {
          if constexpr (sizeof...(Columns) == 1)
            rows.push_back(std::move(std::get<0>(row)));
          else
            rows.push_back(std::move(row));
          return true;
        },
        args...);
    if (!failed.is_ok()) return failed;
    return rows;
  }

  // The first row, if there is one. The rest is not looked at.
  template <class... Columns, class... Args>
  Result<std::optional<Row<Columns...>>> query_one(std::string_view sql, const Args&... args) {
    static_assert((!std::is_same_v<Columns, std::string_view> && ...), "a view does not outlive its row: std::string");
    std::optional<Row<Columns...>> found;
    Status failed = step_through<Columns...>(
        sql,
        [&](auto& row) {
          if constexpr (sizeof...(Columns) == 1)
            found.emplace(std::move(std::get<0>(row)));
          else
            found.emplace(std::move(row));
          return false;
        },
        args...);
    if (!failed.is_ok()) return failed;
    return found;
  }

  // f(columns...) for each row, nothing kept: a std::string_view column costs no copy. f returns void, or a Status that
  // ends the reading when it is an error and is then what each() returns.
  template <class... Columns, class F, class... Args>
  Status each(std::string_view sql, F&& f, const Args&... args) {
    Status stopped;
    Status failed = step_through<Columns...>(
        sql,
        [&](auto& row) {
          if constexpr (std::is_void_v<std::invoke_result_t<F&, Columns&...>>)
            std::apply(f, row);
          else
            stopped = std::apply(f, row);
          return stopped.is_ok();
        },
        args...);
    return failed.is_ok() ? stopped : failed;
  }

  // The statement with these parameters bound (copied), to be stepped by hand.
  template <class... Args>
  Result<Statement> prepare(std::string_view sql, const Args&... args) {
    Result<Statement> statement = find(sql);
    if (!statement) return statement;
    if (Status s = statement->bind(args...); !s.is_ok()) return s;
    return statement;
  }

  Impl& impl() { return *impl_; }

 protected:
  template <class... Args>
  Status run_to_end(std::string_view sql, const Args&... args) {
    return step_through<>(sql, [](auto&) { return true; }, args...);
  }

 private:
  template <class... Columns, class F, class... Args>
  Status step_through(std::string_view sql, F&& f, const Args&... args) {
    Result<Statement> statement = find(sql);
    if (!statement) return statement.error();
    if (Status s = statement->bind_all(/*copy=*/false, args...); !s.is_ok()) return s;
    for (;;) {
      Result<bool> more = statement->step();
      if (!more) return more.error();
      if (!*more) return Status();
      std::tuple<Columns...> row;
      Status read = std::apply([&](auto&... columns) { return statement->row(columns...); }, row);
      if (!read.is_ok()) return read;
      if (!f(row)) return Status();
    }
  }
  Result<Statement> find(std::string_view sql);

  std::unique_ptr<Impl> impl_;
};

// The one connection that writes.
class Writer final : public Reader {
 public:
  using Reader::Reader;

  // Runs a statement to its end and returns how many rows it inserted, updated or deleted itself (not its triggers).
  // An error undoes this statement only: the function may go on, or return the error and so undo its whole write.
  template <class... Args>
  Result<int64_t> execute(std::string_view sql, const Args&... args) {
    int64_t before = total_changes();
    if (Status s = run_to_end(sql, args...); !s.is_ok()) return s;
    return total_changes() == before ? int64_t{0} : changes();
  }

  // Of the last INSERT that succeeded on this connection; ask right after it.
  int64_t last_insert_rowid();
  // Rows of the last INSERT, UPDATE or DELETE.
  int64_t changes();

 private:
  int64_t total_changes();
};

}  // namespace duplex::store
