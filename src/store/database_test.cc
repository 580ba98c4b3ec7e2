// The Database as a whole: snapshots, deadlines, its end, migrations.
#include "duplex/store/database.h"

#include <latch>

#include "store/testing.h"

namespace duplex::store {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(Database, AReadSeesOneSnapshotWhileOthersWrite) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    EXPECT_TRUE(co_await add(ctx, *db, 1));
    std::latch looked(1), written(1);
    Scope scope(ctx);
    std::vector<int64_t> seen;
    scope.spawn([&](Context& c) -> Task<void> {
      Status s = co_await db->read(c, [&](Reader& r) -> Status {
        seen.push_back(**r.query_one<int64_t>("SELECT count(*) FROM item"));
        looked.count_down();
        written.wait();
        seen.push_back(**r.query_one<int64_t>("SELECT count(*) FROM item"));
        return r.query_one<int64_t>("DELETE FROM item RETURNING id").error();
      });
      EXPECT_EQ(s.code(), Code::kFailedPrecondition) << s.to_string();  // a snapshot is not written to
    });
    looked.wait();
    EXPECT_TRUE(co_await add(ctx, *db, 2));
    EXPECT_EQ(*co_await count(ctx, *db), 2);  // a read after an answered write sees it
    written.count_down();
    co_await scope.join();
    EXPECT_EQ(seen, (std::vector<int64_t>{1, 1}));
  });
}

TEST(Database, AReadPastItsDeadlineIsCutShort) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    Context hurried(ctx, 50ms);
    auto endless = co_await db->read(hurried, [](Reader& r) {
      return r.query<int64_t>(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0");
    });
    EXPECT_EQ(endless.error().code(), Code::kDeadlineExceeded) << endless.error().to_string();
    EXPECT_EQ(*co_await count(ctx, *db), 0);
  });
}

TEST(Database, PastItsQueueOfReadsItSaysWhichLimit) {
  Folder folder;
  Options options = with_table();
  options.readers = 1;
  options.read_queue = 1;
  auto db = must_open(folder.file(), options);
  run([&](Context& ctx) -> Task<void> {
    std::latch begun(1), go(1);
    Scope scope(ctx);
    scope.spawn([&](Context& c) -> Task<void> {
      (void)co_await db->read(c, [&](Reader&) -> Status {
        begun.count_down();
        go.wait();
        return Status();
      });
    });
    begun.wait();
    scope.spawn([&](Context& c) -> Task<void> { EXPECT_TRUE(co_await count(c, *db)); });
    Status refused = (co_await count(ctx, *db)).error();
    EXPECT_EQ(refused.code(), Code::kResourceExhausted);
    EXPECT_NE(refused.message().find("read_queue: 1"), std::string::npos) << refused.message();
    go.count_down();
    co_await scope.join();
  });
}

TEST(Database, WhatAReadThrowsIsThrownToItsCaller) {
  Folder folder;
  auto db = must_open(folder.file());
  auto thrower = [&](Context& ctx) -> Task<int> {
    Result<int> n = co_await db->read(ctx, [](Reader&) -> int { throw std::runtime_error("boom"); });
    co_return *n;
  };
  EXPECT_THROW(run(thrower), std::runtime_error);
}

TEST(Database, CloseRunsWhatIsQueuedAndThenRefuses) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    int good = 0;
    Scope scope(ctx);
    {
      Blocker blocker(scope, *db);
      for (int i = 0; i < 50; ++i)
        scope.spawn([&, i](Context& c) -> Task<void> { good += (co_await add(c, *db, i)).has_value(); });
      blocker.release();
      EXPECT_TRUE((co_await db->close(ctx)).is_ok());
    }
    co_await scope.join();
    EXPECT_EQ(good, 50);
    EXPECT_EQ((co_await add(ctx, *db, 99)).error().code(), Code::kUnavailable);
    EXPECT_EQ((co_await count(ctx, *db)).error().code(), Code::kUnavailable);
    db->close();
    auto again = must_open(folder.file());  // the lock is free, the file is whole
    EXPECT_EQ(*co_await count(ctx, *again), 50);
  });
}

TEST(Database, MigrationsRunOnceAndInOrder) {
  Folder folder;
  Options options;
  options.migrations = {"CREATE TABLE a(x); INSERT INTO a VALUES (1);"};
  must_open(folder.file(), options);
  options.migrations.push_back("INSERT INTO a SELECT x + 1 FROM a");
  must_open(folder.file(), options);
  auto db = must_open(folder.file(), options);
  auto xs = run([&](Context& ctx) {
    return db->read(ctx, [](Reader& r) { return r.query<int64_t>("SELECT x FROM a ORDER BY x"); });
  });
  EXPECT_EQ(*xs, (std::vector<int64_t>{1, 2}));
  db.reset();

  Options older;
  Status newer = Database::open(folder.file(), older).error();
  EXPECT_EQ(newer.code(), Code::kFailedPrecondition);
  EXPECT_NE(newer.message().find("the file has seen 2 migrations, this program has 0"), std::string::npos);

  for (const char* bad :
       {"INSERT INTO a VALUES (9); NONSENSE", "INSERT INTO a VALUES (9); COMMIT",
        "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id)); INSERT INTO c VALUES(1)"}) {
    Options failing = options;
    failing.migrations.push_back(bad);
    Status s = Database::open(folder.file(), failing).error();
    EXPECT_EQ(s.code(), Code::kFailedPrecondition) << s.to_string();
    EXPECT_NE(s.message().find("migration 3 of 3"), std::string::npos) << s.to_string();
  }
  db = must_open(folder.file(), options);  // nothing of the failed ones is there
  xs = run([&](Context& ctx) {
    return db->read(ctx, [](Reader& r) { return r.query<int64_t>("SELECT x FROM a ORDER BY x"); });
  });
  EXPECT_EQ(xs->size(), 2u);
}

TEST(Database, WhatIsNoFileOrNoDatabaseIsRefused) {
  EXPECT_EQ(Database::open(":memory:").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Database::open("/nowhere/at/all.db").error().code(), Code::kFailedPrecondition);
  Folder folder;
  {
    std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(folder.file().c_str(), "w"), fclose);
    for (int i = 0; i < 1000; ++i) fputs("this is no database\n", file.get());
  }
  EXPECT_EQ(Database::open(folder.file()).error().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace duplex::store
