// The policies by themselves: who gets how much.
#include "client/balancer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "client/dice.h"
#include "client/fake_endpoint.h"
#include "client/ring_hash.h"

namespace duplex::client {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kSeed = 20261127;
const std::vector<double> kEven(5, 1), kUneven{1, 2, 3, 4.5, 0.5};

bool uneven(const std::vector<double>& weights) {
  return std::any_of(weights.begin(), weights.end(), [&](double w) { return w != weights[0]; });
}

std::vector<int> shares(Balancer& balancer, FakeTargets& targets, int picks, Time now = Time()) {
  std::map<Target*, int> count;
  Dice keys(kSeed + 1);
  for (int i = 0; i < picks; ++i) ++count[balancer.pick(keys.next(), 0, now)];
  std::vector<int> out;
  for (Target* target : targets.pointers()) out.push_back(count[target]);
  return out;
}

// Each share is that of its weight, to within three standard deviations of a random choice.
void expect_by_weight(const std::vector<int>& counts, const std::vector<double>& weights) {
  double sum = 0, all = 0;
  for (double w : weights) sum += w;
  for (int c : counts) all += c;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double p = weights[i] / sum;
    EXPECT_NEAR(counts[i], all * p, 3 * std::sqrt(all * p * (1 - p))) << i;
  }
}

class Policies : public testing::TestWithParam<BalancePolicy> {};
INSTANTIATE_TEST_SUITE_P(All, Policies,
                         testing::Values(BalancePolicy::kRoundRobin, BalancePolicy::kP2c, BalancePolicy::kEwma),
                         [](const auto& policy) {
                           switch (policy.param) {
                             case BalancePolicy::kRoundRobin:
                               return "round_robin";
                             case BalancePolicy::kP2c:
                               return "p2c";
                             default:
                               return "ewma";
                           }
                         });

TEST_P(Policies, GiveEachItsShareWhileNobodyIsLoaded) {
  for (const auto& weights : {kEven, kUneven}) {
    FakeTargets targets(weights);
    for (Target* target : targets.pointers()) target->latency.observe(10ms, Time());
    auto balancer = make_balancer(GetParam(), uneven(weights), kSeed);
    balancer->set(targets.pointers(), targets.pointers());
    expect_by_weight(shares(*balancer, targets, 20'000), weights);
  }
}

TEST_P(Policies, ChooseAmongTheChoicesAlone) {
  FakeTargets targets(kUneven);
  std::vector<Target*> choices = targets.pointers();
  choices.erase(choices.begin() + 2);
  auto balancer = make_balancer(GetParam(), true, kSeed);
  balancer->set(targets.pointers(), choices);
  EXPECT_EQ(shares(*balancer, targets, 1000)[2], 0);
  balancer->set(targets.pointers(), {&targets[3]});
  EXPECT_EQ(shares(*balancer, targets, 10)[3], 10);
}

TEST(RoundRobin, TakesTurnsExactly) {
  FakeTargets targets(kEven);
  auto balancer = make_balancer(BalancePolicy::kRoundRobin, false, kSeed);
  balancer->set(targets.pointers(), targets.pointers());
  EXPECT_EQ(shares(*balancer, targets, 500), std::vector<int>(5, 100));
}

TEST(RoundRobin, ClientsBeginWithDifferentOnes) {
  FakeTargets targets(kEven);
  std::map<Target*, int> first;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto balancer = make_balancer(BalancePolicy::kRoundRobin, false, seed);
    balancer->set(targets.pointers(), targets.pointers());
    ++first[balancer->pick(0, 0, Time())];
  }
  EXPECT_EQ(first.size(), targets.size());
}

// Not only in the long run: at no time is any of them more than a turn off.
TEST(WeightedRoundRobin, IsNeverMoreThanATurnOffItsShare) {
  FakeTargets targets(kUneven);
  auto balancer = make_balancer(BalancePolicy::kRoundRobin, true, kSeed);
  balancer->set(targets.pointers(), targets.pointers());
  std::map<Target*, int> count;
  for (int i = 1; i <= 5000; ++i) {
    ++count[balancer->pick(0, 0, Time())];
    for (Target* target : targets.pointers()) EXPECT_NEAR(count[target], i * target->weight / 11, 2) << target->key;
  }
}

TEST(LeastRequests, TakesTheOneWithFewerInFlightByItsWeight) {
  FakeTargets targets({1, 1, 1});
  auto balancer = make_balancer(BalancePolicy::kP2c, false, kSeed);
  balancer->set(targets.pointers(), targets.pointers());
  targets[1].calls = 3;
  EXPECT_EQ(shares(*balancer, targets, 1000)[1], 0);  // there is always a better one of two
  // Of two it is always the less loaded.
  FakeTargets two({3, 1});
  balancer = make_balancer(BalancePolicy::kP2c, true, kSeed);
  balancer->set(two.pointers(), two.pointers());
  two[0].calls = 5;
  two[1].calls = 2;
  EXPECT_EQ(shares(*balancer, two, 100)[0], 100);  // 5/3 < 2/1
  two[0].calls = 7;
  EXPECT_EQ(shares(*balancer, two, 100)[1], 100);
}

TEST(LeastLatency, TakesTheOneWhoseAnswerCostsLess) {
  FakeTargets targets({1, 1, 1});
  auto balancer = make_balancer(BalancePolicy::kEwma, false, kSeed);
  balancer->set(targets.pointers(), targets.pointers());
  for (size_t i : {0u, 1u, 2u}) targets[i].latency.observe(i == 1 ? 200ms : 10ms, Time());
  EXPECT_EQ(shares(*balancer, targets, 1000)[1], 0);
  // Twenty in flight cost as much as one that is twenty times as slow.
  targets[0].calls = targets[2].calls = 25;
  EXPECT_GT(shares(*balancer, targets, 1000)[1], 500);
}

TEST(LeastLatency, GivesOneThatIsNewASingleCallAtFirst) {
  FakeTargets targets({1, 1});
  auto balancer = make_balancer(BalancePolicy::kEwma, false, kSeed);
  balancer->set(targets.pointers(), targets.pointers());
  targets[0].latency.observe(10ms, Time());
  EXPECT_EQ(balancer->pick(0, 0, Time()), &targets[1]);
  targets[1].calls = 1;
  EXPECT_EQ(shares(*balancer, targets, 100)[0], 100);
}

TEST(PeakEwma, JumpsToAPeakAndForgetsByAndBy) {
  PeakEwma ewma;
  Time now{};
  ewma.observe(10ms, now);
  ewma.observe(300ms, now += 1ms);
  EXPECT_EQ(ewma.cost(now), 3e8);
  ewma.observe(10ms, now += 10s);  // a decay time later the peak weighs 1/e
  EXPECT_NEAR(ewma.cost(now), 3e8 / std::exp(1) + 1e7 * (1 - 1 / std::exp(1)), 1e3);
  const double before = ewma.cost(now);
  EXPECT_NEAR(ewma.cost(now + 10s), before / std::exp(1), 1e3);  // also while nothing is observed
}

TEST(PeakEwma, AFailureMakesNobodyFast) {
  PeakEwma ewma, failed;
  Time now{};
  ewma.observe(50ms, now);
  ewma.observe_failure(1us, now += 1s);
  EXPECT_NEAR(ewma.cost(now), 5e7 * std::exp(-0.1), 1e3);
  failed.observe_failure(1us, now);
  EXPECT_EQ(failed.cost(now), 1e9);
  failed.observe_at_least(2s, now);
  EXPECT_EQ(failed.cost(now), 2e9);
  failed.observe_at_least(1s, now);  // says nothing new
  EXPECT_EQ(failed.cost(now), 2e9);
}

// ---- the ring ----

std::vector<Target*> owners(Balancer& ring, int keys) {
  std::vector<Target*> out;
  for (int i = 0; i < keys; ++i) out.push_back(ring.pick(ring_hash("user-" + std::to_string(i)), 0, Time()));
  return out;
}

// An endpoint's share is a mean of 256 gaps between points: its standard deviation is 1/16 of it. To that the chance of
// a sample of keys is added.
double margin(double share, int keys) {
  return 3 * (share / std::sqrt(static_cast<double>(RingHash::kPoints)) + std::sqrt(share * (1 - share) / keys));
}

TEST(RingHash, SharesAreThoseOfTheWeights) {
  constexpr int kKeys = 50'000;
  for (const auto& weights : {std::vector<double>(10, 1), std::vector<double>{1, 2, 1, 2, 4}}) {
    FakeTargets targets(weights);
    RingHash ring;
    ring.set(targets.pointers(), targets.pointers());
    std::map<Target*, int> count;
    for (Target* owner : owners(ring, kKeys)) ++count[owner];
    double sum = 0;
    for (double w : weights) sum += w;
    for (Target* target : targets.pointers()) {
      const double share = target->weight / sum;
      // The fewer points, the wider.
      const double narrow = std::sqrt(target->weight / *std::max_element(weights.begin(), weights.end()));
      EXPECT_NEAR(count[target] / static_cast<double>(kKeys), share, margin(share, kKeys) / narrow) << target->key;
    }
  }
}

TEST(RingHash, AnEndpointThatGoesMovesItsOwnKeysAndNoOthers) {
  constexpr int kKeys = 20'000;
  FakeTargets targets(std::vector<double>(10, 1));
  RingHash ring;
  ring.set(targets.pointers(), targets.pointers());
  const std::vector<Target*> before = owners(ring, kKeys);
  int moved_in_all = 0;
  for (size_t gone = 0; gone < targets.size(); ++gone) {
    std::vector<Target*> left = targets.pointers();
    left.erase(left.begin() + static_cast<ptrdiff_t>(gone));
    ring.set(left, left);
    const std::vector<Target*> after = owners(ring, kKeys);
    int moved = 0;
    std::map<Target*, int> to;
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i] == after[i]) continue;
      EXPECT_EQ(before[i], &targets[gone]);
      ++moved;
      ++to[after[i]];
    }
    EXPECT_LE(moved / static_cast<double>(kKeys), 0.1 + margin(0.1, kKeys)) << gone;
    EXPECT_GE(to.size(), 8u) << "the keys of one go to all the others";
    moved_in_all += moved;
  }
  EXPECT_EQ(moved_in_all, kKeys);  // so in the mean it is 1/n, exactly
}

TEST(RingHash, AnEndpointThatComesTakesKeysAndMovesNoOthers) {
  constexpr int kKeys = 20'000;
  FakeTargets targets(std::vector<double>(9, 1));
  RingHash ring;
  ring.set(targets.pointers(), targets.pointers());
  const std::vector<Target*> before = owners(ring, kKeys);
  Target& added = targets.add();
  ring.set(targets.pointers(), targets.pointers());
  const std::vector<Target*> after = owners(ring, kKeys);
  int moved = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    EXPECT_EQ(after[i], &added);
    ++moved;
  }
  EXPECT_GT(moved, 0);
  EXPECT_LE(moved / static_cast<double>(kKeys), 0.1 + margin(0.1, kKeys));
}

TEST(RingHash, WhoMayNotBeChosenIsPassedAndComesBackToItsKeys) {
  FakeTargets targets(std::vector<double>(5, 1));
  RingHash ring;
  ring.set(targets.pointers(), targets.pointers());
  const std::vector<Target*> before = owners(ring, 2000);
  targets[2].chosen = false;
  const std::vector<Target*> meanwhile = owners(ring, 2000);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_NE(meanwhile[i], &targets[2]);
    EXPECT_TRUE(before[i] == &targets[2] || before[i] == meanwhile[i]);
  }
  targets[2].chosen = true;
  EXPECT_EQ(owners(ring, 2000), before);
}

TEST(RingHash, FurtherRoundsGiveTheOthersEachOnce) {
  FakeTargets targets(std::vector<double>(5, 1));
  RingHash ring;
  ring.set(targets.pointers(), targets.pointers());
  std::vector<Target*> seen;
  for (size_t round = 0; round < 5; ++round) {
    Target* target = ring.pick(ring_hash("user-7"), round, Time());
    EXPECT_EQ(std::find(seen.begin(), seen.end(), target), seen.end());
    seen.push_back(target);
  }
}

// Pinned: processes of different versions must agree, or a rolling update moves every key.
TEST(RingHash, TheHashIsTheSameEverywhere) {
  EXPECT_EQ(ring_hash(""), ring_hash(std::string_view()));
  EXPECT_EQ(ring_hash("user-1"), 0x41a2fca5c68401c5u);
  EXPECT_NE(ring_hash("user-1"), ring_hash("user-2"));
}

}  // namespace
}  // namespace duplex::client
