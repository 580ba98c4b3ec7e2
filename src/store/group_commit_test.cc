// The writing thread: groups, savepoints, a commit that fails, cancels, the queue's limit.
#include "duplex/store/group_commit.h"

#include <signal.h>
#include <sys/resource.h>

#include <latch>
#include <thread>

#include "store/testing.h"

namespace duplex::store {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(GroupCommit, AThousandWritesFromSeveralLoopsTakeFarFewerCommits) {
  Folder folder;
  auto db = must_open(folder.file());
  std::atomic<int> good{0};
  auto started = Clock::now();
  {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        run([&](Context& ctx) -> Task<void> {
          Scope scope(ctx);
          for (int i = 0; i < 250; ++i)
            scope.spawn([&, id = t * 250 + i + 1](Context& c) -> Task<void> {
              Result<int64_t> added = co_await add(c, *db, id);
              good += added.has_value();
            });
          co_await scope.join();
        });
      });
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(good, 1000);
  EXPECT_LT(db->commits(), 200u);
  RecordProperty("commits", std::to_string(db->commits()));
  RecordProperty("microseconds", std::to_string((Clock::now() - started) / 1us));
  EXPECT_EQ(*run([&](Context& ctx) { return count(ctx, *db); }), 1000);
}

TEST(GroupCommit, OneFailedWriteOfAGroupLeavesTheOthers) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    Blocker blocker(scope, *db);
    std::vector<Status> answers(4);
    auto write = [&](int id, int how) {
      scope.spawn([&, id, how](Context& c) -> Task<void> {
        try {
          answers[static_cast<size_t>(id)] = co_await db->write(c, [=](Writer& w) -> Status {
            auto added = w.execute("INSERT INTO item(id) VALUES (?)", id);
            if (how == 1) return Status::aborted("not this one");
            if (how == 2) throw std::runtime_error("thrown");
            return added.error();
          });
        } catch (const std::runtime_error& e) {
          answers[static_cast<size_t>(id)] = Status::unknown(e.what());
        }
      });
    };
    write(0, 0);
    write(1, 1);
    write(2, 2);
    write(3, 0);
    blocker.release();
    co_await scope.join();
    EXPECT_TRUE(answers[0].is_ok() && answers[3].is_ok());
    EXPECT_EQ(answers[1].message(), "not this one");
    EXPECT_EQ(answers[2].message(), "thrown");
    auto ids = co_await db->read(ctx, [](Reader& r) { return r.query<int64_t>("SELECT id FROM item ORDER BY id"); });
    EXPECT_EQ(*ids, (std::vector<int64_t>{0, 3}));
    EXPECT_EQ(db->commits(), 1u);
  });
}

TEST(GroupCommit, AWriteThatEndsTheTransactionLosesItForItsGroupWhichIsTold) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    Blocker blocker(scope, *db);
    Status before, culprit, later;
    scope.spawn([&](Context& c) -> Task<void> { before = (co_await add(c, *db, 1)).error(); });
    scope.spawn([&](Context& c) -> Task<void> {
      culprit = co_await db->write(c, [](Writer& w) -> Status {
        EXPECT_FALSE(w.execute("INSERT OR ROLLBACK INTO item(id) VALUES (1)"));
        EXPECT_EQ(w.execute("INSERT INTO item(id) VALUES (7)").error().code(), Code::kAborted);
        return Status();  // it does not care; we do
      });
    });
    scope.spawn([&](Context& c) -> Task<void> { later = (co_await add(c, *db, 2)).error(); });
    blocker.release();
    co_await scope.join();
    EXPECT_EQ(before.code(), Code::kUnavailable) << before.to_string();
    EXPECT_EQ(culprit.code(), Code::kUnavailable) << culprit.to_string();
    EXPECT_TRUE(later.is_ok()) << later.to_string();
    EXPECT_EQ(*co_await count(ctx, *db), 1);
  });
}

TEST(GroupCommit, ADeferredForeignKeyFailsItsOwnWriteOnly) {
  Folder folder;
  Options options;
  options.migrations = {
      "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
      "CREATE TABLE child(parent INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)"};
  auto db = must_open(folder.file(), options);
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    Blocker blocker(scope, *db);
    Status bad, good;
    scope.spawn([&](Context& c) -> Task<void> {
      bad = (co_await db->write(c, [](Writer& w) { return w.execute("INSERT INTO child VALUES (9)"); })).error();
    });
    scope.spawn([&](Context& c) -> Task<void> {
      good = co_await db->write(c, [](Writer& w) -> Status {
        if (auto s = w.execute("INSERT INTO child VALUES (1)"); !s) return s.error();
        return w.execute("INSERT INTO parent VALUES (1)").error();
      });
    });
    blocker.release();
    co_await scope.join();
    EXPECT_EQ(bad.code(), Code::kFailedPrecondition) << bad.to_string();
    EXPECT_TRUE(good.is_ok()) << good.to_string();
  });
}

TEST(GroupCommit, AFailedCommitIsToldToAllOfItsGroup) {
  Folder folder;
  auto db = must_open(folder.file());
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  run([&](Context& ctx) -> Task<void> {
    EXPECT_TRUE(co_await add(ctx, *db, 1));
    auto log = std::filesystem::file_size(folder.file().string() + "-wal");
    Status one, two;
    {
      Scope scope(ctx);
      Blocker blocker(scope, *db);
      scope.spawn([&](Context& c) -> Task<void> { one = (co_await add(c, *db, 2)).error(); });
      scope.spawn([&](Context& c) -> Task<void> { two = (co_await add(c, *db, 3)).error(); });
      rlimit low = old;
      low.rlim_cur = log;  // the log cannot grow: as if the disk were full
      setrlimit(RLIMIT_FSIZE, &low);
      blocker.release();
      co_await scope.join();
    }
    setrlimit(RLIMIT_FSIZE, &old);
    for (const Status& s : {one, two}) {
      EXPECT_TRUE(s.code() == Code::kUnavailable || s.code() == Code::kInternal) << s.to_string();
      EXPECT_NE(s.message().find("the commit failed"), std::string::npos) << s.to_string();
    }
    EXPECT_TRUE(co_await add(ctx, *db, 4));  // it recovers
    EXPECT_EQ(*co_await count(ctx, *db), 2);
  });
}

TEST(GroupCommit, ACancelledWriteThatIsQueuedNeverRuns) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    Blocker blocker(scope, *db);
    Status answer;
    bool ran = false, ended = false;
    Context impatient(ctx);
    Scope inner(impatient);
    inner.spawn([&](Context& c) -> Task<void> {
      answer = co_await db->write(c, [&](Writer&) -> Status {
        ran = true;
        return Status();
      });
      ended = true;
    });
    EXPECT_EQ(db->queued_writes(), 1u);
    inner.cancel(Status::cancelled("no longer"));
    co_await inner.join();  // while the writer is still held up
    EXPECT_TRUE(ended);
    EXPECT_EQ(answer.message(), "no longer");
    EXPECT_EQ(db->queued_writes(), 0u);
    blocker.release();
    co_await scope.join();
    EXPECT_TRUE(co_await add(ctx, *db, 1));
    EXPECT_FALSE(ran);
    Status at_once = (co_await add(impatient, *db, 2)).error();
    EXPECT_EQ(at_once.code(), Code::kCancelled);
  });
}

TEST(GroupCommit, ACancelledWriteThatRunsIsWaitedForAndSaysTheTruth) {
  Folder folder;
  auto db = must_open(folder.file());
  run([&](Context& ctx) -> Task<void> {
    std::latch begun(1), go(1);
    Status answer = Status::unknown("none");
    Context impatient(ctx);
    Scope scope(impatient);
    scope.spawn([&](Context& c) -> Task<void> {
      answer = co_await db->write(c, [&](Writer& w) -> Status {
        begun.count_down();
        go.wait();
        return w.execute("INSERT INTO item(id) VALUES (1)").error();
      });
    });
    begun.wait();
    scope.cancel(Status::cancelled("too late"));
    go.count_down();
    co_await scope.join();
    EXPECT_TRUE(answer.is_ok()) << answer.to_string();
    EXPECT_EQ(*co_await count(ctx, *db), 1);
  });
}

TEST(GroupCommit, WhenDeadlinesAndCommitsRaceEveryAnswerIsTheTruth) {
  Folder folder;
  auto db = must_open(folder.file());
  constexpr int kThreads = 3, kWrites = 600;
  std::vector<Status> answers(kThreads * kWrites);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      run([&](Context& ctx) -> Task<void> {
        Scope scope(ctx);
        for (int i = 0; i < kWrites; ++i)
          scope.spawn([&, id = t * kWrites + i](Context& c) -> Task<void> {
            Context hurried(c, std::chrono::microseconds(id % 40 * 100));
            answers[static_cast<size_t>(id)] = (co_await add(hurried, *db, id)).error();
          });
        co_await scope.join();
      });
    });
  for (auto& thread : threads) thread.join();
  auto kept = run([&](Context& ctx) {
    return db->read(ctx, [](Reader& r) { return r.query<int64_t>("SELECT id FROM item ORDER BY id"); });
  });
  std::vector<int64_t> acknowledged;
  for (size_t id = 0; id < answers.size(); ++id) {
    if (answers[id].is_ok())
      acknowledged.push_back(static_cast<int64_t>(id));
    else
      EXPECT_EQ(answers[id].code(), Code::kDeadlineExceeded);
  }
  EXPECT_EQ(acknowledged, *kept);
  EXPECT_LT(acknowledged.size(), answers.size());
}

TEST(GroupCommit, PastItsQueueItSaysWhichLimit) {
  Folder folder;
  Options options = with_table();
  options.write_queue = 2;
  auto db = must_open(folder.file(), options);
  run([&](Context& ctx) -> Task<void> {
    Scope scope(ctx);
    Blocker blocker(scope, *db);
    int good = 0;
    for (int i = 0; i < 2; ++i)
      scope.spawn([&, i](Context& c) -> Task<void> { good += (co_await add(c, *db, i)).has_value(); });
    Status refused = (co_await add(ctx, *db, 9)).error();
    EXPECT_EQ(refused.code(), Code::kResourceExhausted);
    EXPECT_NE(refused.message().find("write_queue: 2"), std::string::npos) << refused.message();
    blocker.release();
    co_await scope.join();
    EXPECT_EQ(good, 2);
  });
}

}  // namespace
}  // namespace duplex::store
