// Statement: one prepared SQL statement at work, with typed parameters and typed columns.
//
// Parameters: integers, bool, double, text (std::string, std::string_view, const char*), Bytes (a BLOB), nullptr or
// std::nullopt (NULL), and std::optional of each. Columns: int64_t and other integers, bool, double, std::string,
// std::string_view, Bytes, and std::optional of each for a column that may be NULL. A column is never guessed at: NULL
// in a plain type, text where a number was asked for, or a number too large for its type is an error that names it.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace duplex::store {

class Reader;

namespace detail {
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
struct CachedStatement;
}  // namespace detail

// Borrowed from its connection's cache; it goes back when destroyed, within the function that it was prepared in.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // Runs to the next row: true when there is one, false at the end. Errors: see error_status() in src/store/errors.h;
  // in short ALREADY_EXISTS (UNIQUE, PRIMARY KEY), FAILED_PRECONDITION (other constraints, a write on a snapshot),
  // RESOURCE_EXHAUSTED (disk full), DATA_LOSS (corrupt), UNAVAILABLE (busy), DEADLINE_EXCEEDED (a read cut short).
  Result<bool> step();

  // The columns of the row that step() found, from the first on; those not asked for are left out. A std::string_view
  // is good until the next step(). INTERNAL: a column is missing, NULL or of another type than its variable.
  template <class... T>
  Status row(T&... out) const {
    int column = 0;
    Status failed;
    (void)(((failed = read(column++, out)).is_ok()) && ...);
    return failed;
  }

  // Gives all parameters their values, in order, copied. INVALID_ARGUMENT: the SQL has another number of them.
  template <class... Args>
  Status bind(const Args&... args) {
    return bind_all(/*copy=*/true, args...);
  }

  int columns() const;

 private:
  friend class Reader;
  Statement(sqlite3* db, sqlite3_stmt* stmt, detail::CachedStatement* cached) : db_(db), stmt_(stmt), cached_(cached) {}

  template <class... Args>
  Status bind_all(bool copy, const Args&... args) {
    copy_ = copy;
    if (Status s = expect_parameters(sizeof...(Args)); !s.is_ok()) return s;
    int at = 0;
    Status failed;
    (void)(((failed = bind_one(++at, args)).is_ok()) && ...);
    return failed;
  }

  template <class T>
  Status bind_one(int at, const T& value) {
    if constexpr (detail::IsOptional<T>::value) {
      return value ? bind_one(at, *value) : bind_null(at);
    } else if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
      return bind_null(at);
    } else if constexpr (std::integral<T>) {
      if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8)
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return too_large(at);
      return bind_integer(at, static_cast<int64_t>(value));
    } else if constexpr (std::floating_point<T>) {
      return bind_real(at, static_cast<double>(value));
    } else if constexpr (std::is_same_v<T, Bytes>) {
      return bind_blob(at, value.view());
    } else {
      static_assert(std::is_convertible_v<const T&, std::string_view>, "no SQL type for this parameter");
      return bind_text(at, std::string_view(value));
    }
  }

  template <class T>
  Status read(int column, T& out) const {
    if constexpr (detail::IsOptional<T>::value) {
      if (is_null(column)) {
        out.reset();
        return Status();
      }
      return read(column, out.emplace());
    } else if constexpr (std::is_same_v<T, bool>) {
      int64_t value = 0;
      Status s = read_integer(column, value);
      out = value != 0;
      return s;
    } else if constexpr (std::integral<T>) {
      int64_t value = 0;
      if (Status s = read_integer(column, value); !s.is_ok()) return s;
      if (!std::in_range<T>(value)) return out_of_range(column);
      out = static_cast<T>(value);
      return Status();
    } else if constexpr (std::is_same_v<T, double>) {
      return read_real(column, out);
    } else {
      static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view> || std::is_same_v<T, Bytes>,
                    "no SQL type for this column");
      std::string_view text;
      Status s = read_text(column, text);
      if constexpr (std::is_same_v<T, Bytes>)
        out = Bytes::copy(text);
      else
        out = T(text);
      return s;
    }
  }

  Status expect_parameters(size_t count) const;
  Status bind_null(int at);
  Status bind_integer(int at, int64_t value);
  Status bind_real(int at, double value);
  Status bind_text(int at, std::string_view text);
  Status bind_blob(int at, std::string_view bytes);
  Status too_large(int at) const;
  Status bound(int rc) const;

  bool is_null(int column) const;
  Status read_integer(int column, int64_t& out) const;
  Status read_real(int column, double& out) const;
  Status read_text(int column, std::string_view& out) const;
  Status out_of_range(int column) const;
  Status mismatch(int column, std::string_view wanted) const;
  void release();

  sqlite3* db_ = nullptr;
  sqlite3_stmt* stmt_ = nullptr;
  detail::CachedStatement* cached_ = nullptr;  // null: ours alone
  bool copy_ = true;                           // what is bound may be gone before step()
};

}  // namespace duplex::store
