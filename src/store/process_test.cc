// What takes a second process: the lock on the file, and a kill in the middle of writes.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "store/testing.h"

extern char** environ;

namespace duplex::store {
namespace {

using namespace testing;

// This very program again, running the one disabled test of that name on that file; its output comes through a pipe.
class Child {
 public:
  Child(const std::string& test, const std::filesystem::path& file) {
    setenv("DUPLEX_STORE_TEST_FILE", file.c_str(), 1);
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    std::string filter = "--gtest_filter=Child.DISABLED_" + test, also = "--gtest_also_run_disabled_tests";
    std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    char* arguments[] = {self.data(), filter.data(), also.data(), nullptr};
    if (posix_spawn(&pid_, self.c_str(), &actions, nullptr, arguments, environ) != 0) abort();
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    out_ = fdopen(pipes[0], "r");
  }
  ~Child() {
    fclose(out_);
    if (pid_ > 0) kill_now();
  }
  pid_t pid() const { return pid_; }
  // The rest of the next line that begins with `start`; empty at the end of the output.
  std::string next(std::string_view start) {
    char line[512];
    while (fgets(line, sizeof line, out_)) {
      std::string_view text(line);
      if (text.starts_with(start) && text.ends_with('\n')) {
        text.remove_suffix(1);
        return std::string(text.substr(start.size()));
      }
    }
    return {};
  }
  void kill_now() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  FILE* out_ = nullptr;
};

std::filesystem::path given_file() {
  const char* file = getenv("DUPLEX_STORE_TEST_FILE");
  return file ? file : "";
}

void say(const std::string& line) { [[maybe_unused]] auto n = write(1, line.data(), line.size()); }

TEST(Child, DISABLED_Opens) {
  auto db = Database::open(given_file(), with_table());
  say(db ? "\nanswer: open\n" : "\nanswer: " + db.error().to_string() + "\n");
  if (db) pause();
}

TEST(Child, DISABLED_WritesUntilKilled) {
  auto db = must_open(given_file());
  run([&](Context& ctx) -> Task<void> {
    int64_t last = 0;
    Scope scope(ctx);
    for (int i = 0; i < 16; ++i)
      scope.spawn([&](Context& c) -> Task<void> {
        for (;;) {
          int64_t id = ++last;
          Result<int64_t> added = co_await add(c, *db, id);
          say(added ? "\nacknowledged: " + std::to_string(id) + "\n" : "\nfailed: " + added.error().to_string() + "\n");
          if (!added) co_return;
        }
      });
    co_await scope.join();
  });
}

TEST(Process, ASecondOneIsRefusedAndToldWhoHasTheFile) {
  Folder folder;
  auto db = must_open(folder.file());
  std::string answer = Child("Opens", folder.file()).next("answer: ");
  EXPECT_NE(answer.find("FAILED_PRECONDITION"), std::string::npos) << answer;
  EXPECT_NE(answer.find("in use by process " + std::to_string(getpid()) + " (store_test)"), std::string::npos)
      << answer;
  EXPECT_NE(answer.find("PostgreSQL"), std::string::npos) << answer;

  Status same = Database::open(folder.file(), with_table()).error();
  EXPECT_NE(same.message().find("in use by this process"), std::string::npos) << same.to_string();
  std::filesystem::path link = folder.file().parent_path() / "link.db";
  std::filesystem::create_symlink(folder.file(), link);
  EXPECT_EQ(Database::open(link, with_table()).error().code(), Code::kFailedPrecondition);
}

TEST(Process, TheLockGoesWithTheProcessThatHeldIt) {
  Folder folder;
  Child child("Opens", folder.file());
  EXPECT_EQ(child.next("answer: "), "open");
  Status taken = Database::open(folder.file(), with_table()).error();
  EXPECT_NE(taken.message().find("process " + std::to_string(child.pid())), std::string::npos) << taken.to_string();
  child.kill_now();
  EXPECT_TRUE(must_open(folder.file()));
}

TEST(Process, WhatWasAcknowledgedOutlivesAKill) {
  for (int round = 0; round < 3; ++round) {
    Folder folder;
    Child child("WritesUntilKilled", folder.file());
    std::vector<int64_t> acknowledged;
    auto note = [&](const std::string& id) {
      if (!id.empty()) acknowledged.push_back(std::stoll(id));
      return !id.empty();
    };
    for (int i = 0; i < 300 + 97 * round; ++i) ASSERT_TRUE(note(child.next("acknowledged: ")));
    child.kill_now();
    while (note(child.next("acknowledged: "))) {
    }

    auto db = must_open(folder.file());
    auto kept = run([&](Context& ctx) {
      return db->read(ctx, [](Reader& r) { return r.query<int64_t>("SELECT id FROM item ORDER BY id"); });
    });
    ASSERT_TRUE(kept);
    for (int64_t id : acknowledged)
      EXPECT_TRUE(std::binary_search(kept->begin(), kept->end(), id)) << id << " was acknowledged and is lost";
    auto whole = run([&](Context& ctx) {
      return db->read(ctx, [](Reader& r) { return r.query_one<std::string>("PRAGMA integrity_check"); });
    });
    EXPECT_EQ(**whole, "ok");
  }
}

}  // namespace
}  // namespace duplex::store
