// Who may be chosen: ejection, panic, slow start, priorities and splits, as rules and over random histories.
#include "client/roster.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "client/fake_endpoint.h"

namespace duplex::client {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kSeed = 7;

BalanceSettings ejecting(int64_t consecutive = 3, double at_most = 0.5, double panic = 0) {
  BalanceSettings settings;
  settings.policy = BalancePolicy::kRoundRobin;
  settings.panic = panic;
  settings.eject.emplace();
  settings.eject->consecutive = consecutive;
  settings.eject->at_most = at_most;
  return settings;
}

class RosterTest : public testing::Test {
 protected:
  void make(const BalanceSettings& settings, size_t endpoints) {
    targets = std::make_unique<FakeTargets>(std::vector<double>(endpoints, 1));
    roster = std::make_unique<Roster>(settings, std::vector<double>{1}, kSeed);
    roster->set(targets->pointers(), now);
  }
  void fail(size_t which, int times) {
    for (int i = 0; i < times; ++i) roster->failed((*targets)[which], now);
  }
  std::map<size_t, int> picks(int count) {
    std::map<size_t, int> out;
    for (int i = 0; i < count; ++i) {
      Target* target = roster->pick(0, Route(), now);
      for (size_t t = 0; t < targets->size(); ++t) out[t] += target == &(*targets)[t];
    }
    return out;
  }
  // For how long `which` is left out if it fails again now.
  Duration ejected_for(size_t which) {
    fail(which, 3);
    EXPECT_TRUE((*targets)[which].ejected);
    return (*targets)[which].ejected_until - now;
  }
  void come_back(size_t which) {
    now = (*targets)[which].ejected_until;
    roster->catch_up(now);
    EXPECT_FALSE((*targets)[which].ejected);
  }

  Time now = Time(1h);
  std::unique_ptr<FakeTargets> targets;
  std::unique_ptr<Roster> roster;
};

TEST_F(RosterTest, SoManyFailuresInARowEjectAndTimeBringsBack) {
  make(ejecting(), 4);
  fail(1, 2);
  roster->succeeded((*targets)[1]);
  fail(1, 2);
  EXPECT_FALSE((*targets)[1].ejected) << "not in a row";
  fail(1, 1);
  EXPECT_TRUE((*targets)[1].ejected);
  EXPECT_EQ(picks(300), (std::map<size_t, int>{{0, 100}, {1, 0}, {2, 100}, {3, 100}}));
  auto changes = roster->take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_TRUE(changes[0].out);
  EXPECT_EQ(changes[0].text, "10.0.0.2:80 is left out for 10s after 3 failures in a row");
  now += 10s - 1ns;
  EXPECT_EQ(picks(300)[1], 0);
  now += 1ns;
  EXPECT_EQ(picks(400)[1], 100);
  changes = roster->take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_FALSE(changes[0].out);
  fail(1, 2);
  EXPECT_FALSE((*targets)[1].ejected) << "it begins anew";
}

TEST_F(RosterTest, EachTimeLastsLongerAndIsForgivenByAndBy) {
  make(ejecting(), 4);
  for (int times = 1; times <= 35; ++times) {
    EXPECT_EQ(ejected_for(0), 10s * std::min(times, 30)) << times;
    come_back(0);
  }
  now += 33 * 10s;  // well for so long: 33 of the 35 are forgiven
  EXPECT_EQ(ejected_for(0), 30s);
  come_back(0);
  now += 1h;
  EXPECT_EQ(ejected_for(0), 10s);
}

TEST_F(RosterTest, NotMoreThanTheShareIsEjectedAtATime) {
  make(ejecting(3, 0.5), 5);  // 2 of 5
  for (size_t i : {0u, 1u, 2u, 3u, 4u}) fail(i, 10);
  EXPECT_TRUE((*targets)[0].ejected);
  EXPECT_TRUE((*targets)[1].ejected);
  EXPECT_FALSE((*targets)[2].ejected);
  // When one is back there is room for the next that fails.
  come_back(0);
  fail(3, 1);
  EXPECT_TRUE((*targets)[3].ejected);
}

TEST_F(RosterTest, OneAlwaysStaysAndASingleOneIsNeverEjected) {
  make(ejecting(1, 1.0), 3);
  for (size_t i : {0u, 1u, 2u}) fail(i, 1);
  EXPECT_FALSE((*targets)[2].ejected);
  EXPECT_EQ(picks(10)[2], 10);
  make(ejecting(1, 1.0), 1);
  fail(0, 100);
  EXPECT_EQ(picks(10)[0], 10);
}

TEST_F(RosterTest, WhenTheNameHasFewerEndpointsFewerMayBeEjected) {
  make(ejecting(1, 0.5), 4);
  fail(0, 1);
  now += 1s;
  fail(1, 1);
  roster->set({&(*targets)[0], &(*targets)[1]}, now);  // both were ejected, one of two may be
  EXPECT_FALSE((*targets)[0].ejected) << "the one whose time would have come first";
  EXPECT_TRUE((*targets)[1].ejected);
}

TEST_F(RosterTest, WithTooFewLeftAllAreChosen) {
  BalanceSettings settings = ejecting(1, 1.0, 0.5);
  make(settings, 4);
  fail(0, 1);
  fail(1, 1);
  EXPECT_EQ(picks(200), (std::map<size_t, int>{{0, 0}, {1, 0}, {2, 100}, {3, 100}})) << "half are left: no panic";
  fail(2, 1);
  EXPECT_EQ(picks(400), (std::map<size_t, int>{{0, 100}, {1, 100}, {2, 100}, {3, 100}})) << "panic";
  now += 10s;
  EXPECT_EQ(picks(400)[0], 100);
}

TEST_F(RosterTest, UnhealthyOnesAreLeftOut) {
  make(ejecting(1, 0.5, 0.5), 4);
  roster->set_healthy((*targets)[2], false, "it says NOT_SERVING", now);
  EXPECT_EQ(picks(300)[2], 0);
  auto changes = roster->take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].text, "10.0.0.3:80 is not healthy: it says NOT_SERVING");
  roster->set_healthy((*targets)[2], true, "", now);
  EXPECT_EQ(picks(400)[2], 100);
  // Without a panic threshold nobody may be left.
  make(ejecting(1, 0.5, 0), 2);
  for (size_t i : {0u, 1u}) roster->set_healthy((*targets)[i], false, "", now);
  EXPECT_EQ(roster->pick(0, Route(), now), nullptr);
  make(ejecting(1, 0.5, 0), 1);
  roster->set_healthy((*targets)[0], false, "", now);
  EXPECT_EQ(roster->pick(0, Route(), now), nullptr);
}

TEST_F(RosterTest, AnAttemptPrefersAnEndpointThatTheCallHasNotUsed) {
  for (BalancePolicy policy :
       {BalancePolicy::kRoundRobin, BalancePolicy::kP2c, BalancePolicy::kEwma, BalancePolicy::kRingHash}) {
    BalanceSettings settings;
    settings.policy = policy;
    make(settings, 5);
    for (uint64_t key = 0; key < 50; ++key) {
      Route route;
      std::set<Target*> seen;
      for (int attempt = 0; attempt < 5; ++attempt) {
        Target* target = roster->pick(key << 58, route, now);
        EXPECT_TRUE(seen.insert(target).second) << attempt;
        route.use(target);
      }
      EXPECT_NE(roster->pick(key << 58, route, now), nullptr) << "all are used: any";
    }
  }
}

TEST_F(RosterTest, WhoCannotBeReachedIsPassedIfThereIsAnother) {
  make(BalanceSettings(), 3);
  targets->node(0).failing = targets->node(2).failing = true;
  EXPECT_EQ(picks(100)[1], 100);
  Route route;
  route.use(&(*targets)[1]);
  EXPECT_EQ(roster->pick(0, route, now), &(*targets)[1]) << "rather the same again than one that is down";
  targets->node(1).failing = true;
  EXPECT_NE(roster->pick(0, Route(), now), nullptr);
}

// ---- slow start ----

TEST_F(RosterTest, OneThatIsNewGrowsIntoItsShare) {
  for (BalancePolicy policy : {BalancePolicy::kRoundRobin, BalancePolicy::kP2c, BalancePolicy::kEwma}) {
    BalanceSettings settings;
    settings.policy = policy;
    settings.slow_start = 100s;
    make(settings, 4);
    EXPECT_NEAR(picks(4000)[0], 1000, 100) << "those of the beginning have their whole share";
    targets->add();
    for (Target* target : targets->pointers()) target->latency.observe(10ms, now);
    roster->set(targets->pointers(), now);
    for (double share : {0.1, 0.25, 0.5, 0.75, 1.0}) {
      const Time then = now;
      now += std::chrono::duration_cast<Duration>(share * 100s);
      constexpr int kPicks = 20'000;
      const double p = share / (4 + share), sigma = std::sqrt(kPicks * p * (1 - p));
      EXPECT_NEAR(picks(kPicks)[4], kPicks * p, 3 * sigma) << share << " policy " << static_cast<int>(policy);
      now = then;
    }
  }
}

TEST_F(RosterTest, OneThatIsBackGrowsAgainFromATenth) {
  BalanceSettings settings = ejecting(1, 0.5);
  settings.slow_start = 100s;
  make(settings, 2);
  fail(0, 1);
  now += 10s;
  EXPECT_NEAR(picks(11'000)[0], 1000, 100);
  now += 50s;
  EXPECT_NEAR(picks(15'000)[0], 5000, 200);
  now += 50s;
  EXPECT_EQ(picks(1000)[0], 500);
  roster->set_healthy((*targets)[1], false, "", now);
  roster->set_healthy((*targets)[1], true, "", now);
  EXPECT_NEAR(picks(11'000)[1], 1000, 100);
}

// ---- priorities and splits ----

TEST_F(RosterTest, TheNextPriorityServesWhileTheFirstIsOut) {
  make(ejecting(1, 1.0), 2);
  Target& spare = targets->add(1, 0, 1);
  roster->set(targets->pointers(), now);
  EXPECT_EQ(picks(100)[2], 0);
  fail(0, 1);
  fail(1, 1);
  EXPECT_EQ(picks(100)[2], 100);
  EXPECT_EQ(roster->pick(0, Route(), now), &spare);
  now += 10s;
  EXPECT_EQ(picks(100)[2], 0);
  targets->node(0).failing = targets->node(1).failing = true;  // RFC 2782: those that can be reached
  EXPECT_EQ(picks(100)[2], 100);
}

TEST_F(RosterTest, ASplitIsKeptExactlyWhateverTheLoad) {
  BalanceSettings settings;  // p2c, which would avoid the loaded ones
  targets = std::make_unique<FakeTargets>(std::vector<double>(4, 1));
  targets->add(1, 1).calls = 1000;
  roster = std::make_unique<Roster>(settings, std::vector<double>{90, 10}, kSeed);
  roster->set(targets->pointers(), now);
  EXPECT_NEAR(picks(1000)[4], 100, 1);
  // While the group cannot take calls the other has them all.
  roster->set_healthy((*targets)[4], false, "", now);
  EXPECT_NEAR(picks(1000)[4], 100, 1) << "panic: a group of one";
  targets->node(4).failing = true;
  EXPECT_EQ(picks(1000)[4], 0);
}

// ---- random histories ----

// What must hold at every time of every history.
void check_all(Roster& roster, const BalanceSettings& settings, Time now) {
  const auto& members = roster.members();
  size_t out = 0, usable = 0;
  for (const Target* target : members) {
    out += target->ejected;
    usable += target->healthy && !target->ejected;
    if (target->ejected) {
      ASSERT_GT(target->ejected_until, now);
      ASSERT_LE(target->ejected_until - now, settings.eject->lasts * 30);
    }
  }
  const double n = static_cast<double>(members.size());
  ASSERT_LE(static_cast<double>(out), settings.eject->at_most * n + 1e-9);
  ASSERT_TRUE(members.empty() || out < members.size());
  Target* picked = roster.pick(0, Route(), now);
  if (members.empty()) return;
  ASSERT_TRUE(settings.panic == 0 || picked);
  if (!picked) {
    ASSERT_EQ(usable, 0u);
    return;
  }
  ASSERT_NE(std::find(members.begin(), members.end(), picked), members.end());
  const bool enough = usable > 0 && static_cast<double>(usable) >= settings.panic * n;
  ASSERT_TRUE(!enough || (picked->healthy && !picked->ejected));
}

TEST(RosterHistories, NeverEmptyThePoolNorEjectTooManyAndEverythingReturns) {
  constexpr BalancePolicy kPolicies[] = {BalancePolicy::kRoundRobin, BalancePolicy::kP2c, BalancePolicy::kEwma,
                                         BalancePolicy::kRingHash};
  int ejections = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Dice dice(seed);
    BalanceSettings settings = ejecting(1 + static_cast<int64_t>(dice.below(4)), dice.unit(), dice.below(3) * 0.3);
    settings.policy = kPolicies[dice.below(4)];
    settings.slow_start = dice.below(2) * 5s;
    FakeTargets targets({});
    const size_t count = 1 + dice.below(10);
    for (size_t i = 0; i < count; ++i) targets.add(1 + static_cast<double>(dice.below(3)));
    Roster roster(settings, {1}, seed);
    Time now(1h);
    roster.set(targets.pointers(), now);
    for (int step = 0; step < 400; ++step) {
      const std::vector<Target*> members = roster.members();
      Target* one = members.empty() ? nullptr : members[dice.below(members.size())];
      switch (dice.below(10)) {
        case 0:
          now += Duration(static_cast<int64_t>(dice.unit() * 2e10));
          roster.catch_up(now);
          break;
        case 1:
          if (one) roster.set_healthy(*one, dice.below(2) == 0, "", now);
          break;
        case 2: {
          std::vector<Target*> some;
          for (Target* target : targets.pointers())
            if ((target->wanted = dice.below(4) != 0)) some.push_back(target);
          roster.set(some, now);
          break;
        }
        case 3:
        case 4:
          if (one) roster.succeeded(*one);
          break;
        default:
          if (one) roster.failed(*one, now);
      }
      check_all(roster, settings, now);
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
      for (auto& change : roster.take_changes()) ejections += change.out;
    }
    for (Target* target : targets.pointers()) target->wanted = true;
    roster.set(targets.pointers(), now);
    now += 300s + 1ns;
    roster.catch_up(now);
    for (Target* target : targets.pointers()) {
      EXPECT_FALSE(target->ejected);
      roster.set_healthy(*target, true, "", now);
      EXPECT_TRUE(target->chosen);
    }
  }
  EXPECT_GT(ejections, 1000) << "the histories try nothing";
}

}  // namespace
}  // namespace duplex::client
