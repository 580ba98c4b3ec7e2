// What g++ 12 gets wrong in coroutines, pinned for the types and the ways of writing that this project relies on.
//
// An aggregate that is built inside a co_await expression and passed by value is destroyed twice there, and a braced
// initialiser list inside one does not compile. So a type that travels by value has a constructor, and arguments are
// named first. Each case counts lives; under ASan a second destruction is found by itself too.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "duplex/runtime/run.h"
#include "duplex/service/service.h"

namespace duplex {
namespace {

// The types that are handed over by value between coroutines.
static_assert(!std::is_aggregate_v<Bytes>);
static_assert(!std::is_aggregate_v<Status>);
static_assert(!std::is_aggregate_v<Result<std::string>>);
static_assert(!std::is_aggregate_v<Metadata>);
static_assert(!std::is_aggregate_v<Message>);
static_assert(!std::is_aggregate_v<Outcome>);
static_assert(!std::is_aggregate_v<Call>);
static_assert(!std::is_aggregate_v<Task<Outcome>>);

struct Lives {
  int born = 0;
  int died = 0;
  int alive() const { return born - died; }
};

// Counts itself, and owns memory, so that a second destruction is a double free.
class Guest {
 public:
  Guest(Lives& lives, std::string name) : lives_(&lives), name_(std::make_unique<std::string>(std::move(name))) {
    ++lives_->born;
  }
  Guest(Guest&& o) noexcept : lives_(o.lives_), name_(std::move(o.name_)) { ++lives_->born; }
  Guest(const Guest&) = delete;
  ~Guest() { ++lives_->died; }
  const std::string& name() const { return *name_; }

 private:
  Lives* lives_;
  std::unique_ptr<std::string> name_;
};

// Not an aggregate, although it only has members: what the house does with such a type.
struct Party {
  Party(Guest g, std::string p) : guest(std::move(g)), place(std::move(p)) {}
  Guest guest;
  std::string place;
};

Task<std::string> greet(Guest guest) { co_return guest.name(); }
Task<std::string> greet_later(Context& ctx, Guest guest) {
  co_await yield(ctx);
  co_return guest.name();
}
Task<std::string> invite(Context& ctx, Party party) {
  co_await yield(ctx);
  co_return party.guest.name() + "@" + party.place;
}
Task<size_t> weigh(Context& ctx, Message message, Metadata metadata) {
  co_await yield(ctx);
  co_return message.bytes.size() + metadata.size();
}
Task<Outcome> echo(Context& ctx, Outcome outcome) {
  co_await yield(ctx);
  co_return outcome;
}
Task<Guest> make(Context& ctx, Lives& lives) {
  co_await yield(ctx);
  co_return Guest(lives, "made");
}
Task<int> fail(Guest guest) {
  if (guest.name().empty()) co_return 0;
  throw std::runtime_error(guest.name());
}

TEST(CoroutineTraps, AnArgumentBuiltInsideTheAwaitIsDestroyedOnce) {
  Lives lives;
  EXPECT_EQ(
      run([&](Context&) -> Task<std::string> { co_return co_await greet(Guest(lives, "a long name, on the heap")); }),
      "a long name, on the heap");
  EXPECT_GT(lives.born, 0);
  EXPECT_EQ(lives.alive(), 0);
}

TEST(CoroutineTraps, SoIsOneThatLivesOverASuspension) {
  Lives lives;
  EXPECT_EQ(
      run([&](Context& ctx) -> Task<std::string> { co_return co_await greet_later(ctx, Guest(lives, "parked")); }),
      "parked");
  EXPECT_EQ(lives.alive(), 0);
}

TEST(CoroutineTraps, SoIsATypeOfMembersThatHasAConstructor) {
  Lives lives;
  EXPECT_EQ(run([&](Context& ctx) -> Task<std::string> {
              co_return co_await invite(ctx, Party(Guest(lives, "guest"), "the house by the lake"));
            }),
            "guest@the house by the lake");
  EXPECT_EQ(lives.alive(), 0);
}

TEST(CoroutineTraps, SoAreMessagesMetadataAndOutcomes) {
  run([&](Context& ctx) -> Task<int> {
    EXPECT_EQ(co_await weigh(ctx, Message(Bytes::copy(std::string(1000, 'x'))), Metadata()), 1000u);
    Outcome outcome =
        co_await echo(ctx, Outcome(Status::not_found("a customer whose name is longer than a small string")));
    EXPECT_EQ(outcome.status.code(), Code::kNotFound);
    EXPECT_EQ(outcome.status.message(), "a customer whose name is longer than a small string");
    co_return 0;
  });
}

TEST(CoroutineTraps, AResultIsDestroyedOnceHoweverItIsUsed) {
  Lives lives;
  run([&](Context& ctx) -> Task<int> {
    EXPECT_EQ((co_await make(ctx, lives)).name(), "made");
    co_await make(ctx, lives);
    Guest kept = co_await make(ctx, lives);
    EXPECT_EQ(lives.alive(), 1);
    co_return 0;
  });
  EXPECT_EQ(lives.alive(), 0);
}

TEST(CoroutineTraps, AwaitingInAConditionKeepsOrderAndLives) {
  Lives lives;
  run([&](Context& ctx) -> Task<int> {
    int taken = 0;
    if ((co_await greet_later(ctx, Guest(lives, "yes"))) == "yes" && (co_await greet(Guest(lives, "no"))) != "yes")
      ++taken;
    std::string both = co_await greet_later(ctx, Guest(lives, "first")) + co_await greet(Guest(lives, "second"));
    EXPECT_EQ(taken, 1);
    EXPECT_EQ(both, "firstsecond");
    co_return 0;
  });
  EXPECT_EQ(lives.alive(), 0);
}

TEST(CoroutineTraps, AnArgumentOfATaskThatThrowsIsDestroyedOnce) {
  Lives lives;
  EXPECT_THROW(run([&](Context&) -> Task<int> { co_return co_await fail(Guest(lives, "thrown")); }),
               std::runtime_error);
  EXPECT_EQ(lives.alive(), 0);
}

// No co_await stands in a catch block: the fact is carried out of it, and what follows from it is awaited after.
TEST(CoroutineTraps, WhatACatchBlockLearnsIsAwaitedAfterIt) {
  Lives lives;
  run([&](Context& ctx) -> Task<int> {
    std::string caught;
    try {
      co_await fail(Guest(lives, "thrown"));
    } catch (const std::exception& e) {
      caught = e.what();
    }
    EXPECT_EQ(co_await greet_later(ctx, Guest(lives, caught)), "thrown");
    co_return 0;
  });
  EXPECT_EQ(lives.alive(), 0);
}

// A Task that never ran owns its arguments all the same.
TEST(CoroutineTraps, ATaskThatIsNeverAwaitedFreesItsArguments) {
  Lives lives;
  {
    Task<std::string> never = greet(Guest(lives, "never awaited"));
    EXPECT_EQ(lives.alive(), 1);
  }
  EXPECT_EQ(lives.alive(), 0);
}

// A lambda's captures belong to the lambda, not to its coroutine: what must live is an argument.
TEST(CoroutineTraps, ArgumentsOutliveTheLambdaThatTookThem) {
  Lives lives;
  run([&](Context& ctx) -> Task<int> {
    Task<std::string> task = [](Context& c, Guest g) -> Task<std::string> {
      co_await yield(c);
      co_return g.name();
    }(ctx, Guest(lives, "argument"));
    EXPECT_EQ(co_await std::move(task), "argument");
    co_return 0;
  });
  EXPECT_EQ(lives.alive(), 0);
}

}  // namespace
}  // namespace duplex
