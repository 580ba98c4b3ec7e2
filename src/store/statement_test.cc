// SQL in and out: types, the cache, and what SQLite's errors become.
#include "store/testing.h"

namespace duplex::store {
namespace {

using namespace testing;

// Runs f in one write on a fresh database with the table `item`, and returns its Status.
Status in_write(std::move_only_function<Status(Writer&)> f) {
  Folder folder;
  auto db = must_open(folder.file());
  return run([&](Context& ctx) -> Task<Status> { co_return co_await db->write(ctx, [&](Writer& w) { return f(w); }); });
}

TEST(Statement, EveryTypeGoesInAndComesBack) {
  Status s = in_write([](Writer& w) -> Status {
    EXPECT_TRUE(w.execute("CREATE TABLE t(a, b, c, d, e, f, g)"));
    Bytes blob = Bytes::copy(std::string_view("\0\xff", 2));
    std::string text("with\0nul", 8);
    auto added = w.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", INT64_MIN, true, 0.25, text, blob,
                           std::optional<int>(), std::string_view());
    EXPECT_TRUE(added) << added.error().to_string();
    auto row = w.query_one<int64_t, bool, double, std::string, Bytes, std::optional<int>, std::optional<std::string>>(
        "SELECT * FROM t");
    EXPECT_TRUE(row) << row.error().to_string();
    EXPECT_EQ(**row,
              std::make_tuple(INT64_MIN, true, 0.25, text, blob, std::optional<int>(), std::optional<std::string>("")));
    auto types = w.query_one<std::string>("SELECT typeof(e) || typeof(f) || typeof(g) FROM t");
    EXPECT_EQ(**types, "blobnulltext");
    auto nothing = w.query_one<int64_t>("SELECT a FROM t WHERE d = ?", "other");
    EXPECT_TRUE(nothing && !*nothing);
    return Status();
  });
  EXPECT_TRUE(s.is_ok()) << s.to_string();
}

TEST(Statement, AColumnIsNeverGuessedAt) {
  Status s = in_write([](Writer& w) -> Status {
    auto null = w.query<int64_t>("SELECT NULL AS missing");
    EXPECT_EQ(null.error().code(), Code::kInternal);
    EXPECT_NE(null.error().message().find("column 1 (missing) holds NULL"), std::string::npos)
        << null.error().message();
    EXPECT_FALSE(w.query<int64_t>("SELECT 'seven'"));
    EXPECT_FALSE(w.query<std::string>("SELECT 7"));
    EXPECT_FALSE(w.query<int8_t>("SELECT 300"));
    EXPECT_FALSE((w.query<int64_t, int64_t>("SELECT 1")));
    EXPECT_FALSE((w.query<int64_t, std::optional<int64_t>>("SELECT 1")));
    EXPECT_EQ(w.execute("SELECT ?").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(w.execute("SELECT ?", UINT64_MAX).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(w.execute("SELECT 1; SELECT 2").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(w.execute("").error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(w.execute("SELECT 1; -- and no more"));
    return Status();
  });
  EXPECT_TRUE(s.is_ok()) << s.to_string();
}

TEST(Statement, RowsByHandByFunctionAndNested) {
  Status s = in_write([](Writer& w) -> Status {
    for (int i = 1; i <= 5; ++i) EXPECT_EQ(*w.execute("INSERT INTO item(name) VALUES (?)", std::to_string(i)), 1);
    EXPECT_EQ(w.last_insert_rowid(), 5);
    EXPECT_EQ(*w.execute("UPDATE item SET size = 1 WHERE id > ?", 2), 3);
    EXPECT_EQ(w.changes(), 3);
    EXPECT_EQ(*w.execute("CREATE TABLE other(x)"), 0);
    std::string all;
    constexpr std::string_view kAll = "SELECT id, name FROM item ORDER BY id";
    Status each = w.each<int64_t, std::string_view>(kAll, [&](int64_t id, std::string_view name) {
      all += name;
      // The same SQL again while it is at work.
      auto inner = w.query<int64_t, std::string>(kAll);
      EXPECT_TRUE(inner && inner->size() == 5u);
      EXPECT_EQ(std::to_string(id), name);
    });
    EXPECT_TRUE(each.is_ok());
    EXPECT_EQ(all, "12345");
    Status stopped = w.each<int64_t>("SELECT id FROM item", [](int64_t) { return Status::aborted("enough"); });
    EXPECT_EQ(stopped.code(), Code::kAborted);

    auto by_hand = w.prepare("SELECT id FROM item WHERE id >= ? ORDER BY id", 4);
    EXPECT_TRUE(by_hand);
    int64_t sum = 0, id = 0;
    for (;;) {
      Result<bool> more = by_hand->step();
      if (!more) return more.error();
      if (!*more) break;
      if (Status read = by_hand->row(id); !read.is_ok()) return read;
      sum += id;
    }
    EXPECT_EQ(sum, 9);
    for (int i = 0; i < 1000; ++i)  // more than the cache holds
      EXPECT_EQ(**w.query_one<int64_t>("SELECT " + std::to_string(i)), i);
    auto returned = w.query<int64_t>("INSERT INTO item(name) VALUES ('r') RETURNING id");
    EXPECT_EQ(returned->at(0), 6);
    return Status();
  });
  EXPECT_TRUE(s.is_ok()) << s.to_string();
}

TEST(Statement, ErrorsHaveTheirCodeAndTheSqlButNotTheValues) {
  Status s = in_write([](Writer& w) -> Status {
    EXPECT_TRUE(w.execute("INSERT INTO item(id, name) VALUES (?, ?)", 1, "secret-name"));
    Status unique = w.execute("INSERT INTO item(name) VALUES (?)", "secret-name").error();
    EXPECT_EQ(unique.code(), Code::kAlreadyExists);
    EXPECT_NE(unique.message().find("item.name"), std::string::npos) << unique.message();
    EXPECT_NE(unique.message().find("INSERT INTO item(name) VALUES (?)"), std::string::npos);
    EXPECT_EQ(unique.message().find("secret-name"), std::string::npos);
    EXPECT_EQ(w.execute("INSERT INTO item(id) VALUES (?)", 1).error().code(), Code::kAlreadyExists);
    EXPECT_EQ(w.execute("INSERT INTO item(size) VALUES (?)", -1).error().code(), Code::kFailedPrecondition);
    EXPECT_EQ(w.execute("INSERT INTO item(id) VALUES (?)", "x").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(w.execute("SELEKT 1").error().code(), Code::kInternal);
    EXPECT_EQ(w.execute("SELECT * FROM nowhere").error().code(), Code::kInternal);
    for (const char* ours : {"COMMIT", "BEGIN", "ROLLBACK", "SAVEPOINT x", "ATTACH 'x.db' AS x",
                             "PRAGMA user_version = 9", "PRAGMA journal_mode = DELETE"}) {
      Status refused = w.execute(ours).error();
      EXPECT_EQ(refused.code(), Code::kFailedPrecondition) << ours << ": " << refused.to_string();
    }
    EXPECT_EQ(**w.query_one<int64_t>("PRAGMA user_version"), 1);
    EXPECT_EQ(**w.query_one<int64_t>("PRAGMA synchronous"), 2);  // FULL
    return Status();
  });
  EXPECT_TRUE(s.is_ok()) << s.to_string();
}

TEST(Statement, AFullDatabaseIsResourceExhausted) {
  Status s = in_write([](Writer& w) -> Status {
    EXPECT_TRUE(w.execute("PRAGMA max_page_count = 8"));
    Status last;
    for (int i = 0; i < 100 && last.is_ok(); ++i)
      last = w.execute("INSERT INTO item(name) VALUES (?)", std::string(4000, 'a') + std::to_string(i)).error();
    EXPECT_EQ(last.code(), Code::kResourceExhausted) << last.to_string();
    return last;
  });
  EXPECT_EQ(s.code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace duplex::store
