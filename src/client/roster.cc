#include "client/roster.h"

#include <algorithm>
#include <cmath>

namespace duplex::client {
namespace {

constexpr int64_t kLongest = 30;  // times `for`
constexpr size_t kRounds = 8;     // how often a balancer is asked before all endpoints are looked at

bool usable(const Target& target) { return target.healthy && !target.ejected; }

}  // namespace

Roster::Roster(const BalanceSettings& settings, const std::vector<double>& groups, uint64_t seed)
    : settings_(settings), dice_(seed), groups_(std::max<size_t>(groups.size(), 1)) {
  for (size_t i = 0; i < groups.size(); ++i) groups_[i].weight = groups[i];
}

void Roster::set(const std::vector<Target*>& members, Time now) {
  if (!members_.empty() && settings_.slow_start > Duration::zero())
    for (Target* target : members)
      if (std::find(members_.begin(), members_.end(), target) == members_.end()) target->warm_since = now;
  members_ = members;
  for (Target* target : members_)
    if (target->ejected && target->ejected_until <= now) come_back(*target, now);
  // Fewer endpoints allow fewer ejections.
  while (ejected() > may_be_ejected()) {
    Target* soonest = nullptr;
    for (Target* target : members_)
      if (target->ejected && (!soonest || target->ejected_until < soonest->ejected_until)) soonest = target;
    come_back(*soonest, now);
  }
  choose();
}

size_t Roster::may_be_ejected() const {
  if (!settings_.eject || members_.empty()) return 0;
  const auto share = static_cast<size_t>(settings_.eject->at_most * static_cast<double>(members_.size()) + 1e-9);
  return std::min(share, members_.size() - 1);
}

size_t Roster::ejected() const {
  return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [](auto* t) { return t->ejected; }));
}

void Roster::failed(Target& target, Time now) {
  ++target.failed_in_a_row;
  if (!settings_.eject || target.ejected || target.failed_in_a_row < settings_.eject->consecutive) return;
  if (!target.wanted || members_.size() < 2) return;
  catch_up(now);
  if (ejected() < may_be_ejected()) eject(target, now);
}

void Roster::eject(Target& target, Time now) {
  const Duration lasts = settings_.eject->lasts;
  // What it did is forgiven by and by: one ejection for each time that it has been well for as long as the first lasts.
  if (target.times_ejected > 0)
    target.times_ejected = std::max<int64_t>(0, target.times_ejected - (now - target.ejected_until) / lasts);
  ++target.times_ejected;
  const Duration span = lasts * std::min(target.times_ejected, kLongest);
  target.ejected = true;
  target.ejected_until = after(now, span);
  changes_.push_back({true, target.key + " is left out for " + show_duration(span) + " after " +
                                std::to_string(target.failed_in_a_row) + " failures in a row"});
  target.failed_in_a_row = 0;
  choose();
}

void Roster::come_back(Target& target, Time now) {
  target.ejected = false;
  target.ejected_until = std::min(target.ejected_until, now);
  target.failed_in_a_row = 0;
  target.latency.forget();
  if (settings_.slow_start > Duration::zero()) target.warm_since = now;
  changes_.push_back({false, target.key + " may be chosen again"});
}

void Roster::bring_back(Time now) {
  for (Target* target : members_)
    if (target->ejected && target->ejected_until <= now) come_back(*target, now);
  choose();
}

void Roster::set_healthy(Target& target, bool healthy, const std::string& why, Time now) {
  if (target.healthy == healthy) return;
  target.healthy = healthy;
  if (healthy && settings_.slow_start > Duration::zero()) target.warm_since = now;
  if (!target.wanted) return;
  changes_.push_back({!healthy, target.key + (healthy ? " is healthy again" : " is not healthy: " + why)});
  choose();
}

void Roster::choose() {
  next_return_ = kNever;
  for (Target* target : members_)
    if (target->ejected) next_return_ = std::min(next_return_, target->ejected_until);
  for (Group& group : groups_) group.members.clear();
  for (Target* target : members_) groups_[target->group].members.push_back(target);
  open_.clear();
  std::vector<double> weights;
  for (Group& group : groups_) {
    choose(group);
    if (group.choices.empty()) continue;
    open_.push_back(&group);
    weights.push_back(group.weight);
  }
  if (open_.size() > 1) group_turns_.set(weights, dice_);
  only_ = members_.size() == 1 && !open_.empty() ? members_[0] : nullptr;
}

// The endpoints of the first priority that has enough usable ones; if none has, all there are (panic).
void Roster::choose(Group& group) {
  group.choices.clear();
  std::vector<int> levels;
  for (Target* target : group.members) levels.push_back(target->priority);
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  for (int level : levels) {
    size_t there = 0;
    std::vector<Target*> well;
    for (Target* target : group.members) {
      if (target->priority != level) continue;
      ++there;
      if (usable(*target)) well.push_back(target);
    }
    if (well.empty() || static_cast<double>(well.size()) < settings_.panic * static_cast<double>(there)) continue;
    group.choices = std::move(well);
    break;
  }
  if (group.choices.empty() && settings_.panic > 0) group.choices = group.members;
  for (Target* target : group.members) target->chosen = false;
  for (Target* target : group.choices) target->chosen = true;
  if (group.choices.empty()) return;
  const bool weighted = std::any_of(group.choices.begin(), group.choices.end(),
                                    [&](auto* t) { return t->weight != group.choices[0]->weight; });
  if (!group.balancer || group.weighted != weighted)
    group.balancer = make_balancer(settings_.policy, weighted, dice_.next());
  group.weighted = weighted;
  group.balancer->set(group.members, group.choices);
}

// Slow start: one that is new or back refuses a part of what would be its own.
bool Roster::takes(const Target& target, Time now) {
  return target.warm_since == kNever || dice_.unit() < target.share(now, settings_.slow_start);
}

Target* Roster::pick(uint64_t key, const Route& route, Time now) {
  if (only_) return only_;
  catch_up(now);
  if (open_.empty()) return nullptr;
  Group& group = open_.size() == 1 ? *open_[0] : *open_[group_turns_.next()];
  if (group.choices.size() > 1)
    for (size_t round = 0; round < kRounds; ++round) {
      Target* target = group.balancer->pick(key, round, now);
      if (!target->endpoint->failing() && !route.used(target) && takes(*target, now)) return target;
    }
  else if (!group.choices[0]->endpoint->failing() && !route.used(group.choices[0]))
    return group.choices[0];
  return best_left(group, route);
}

// The least bad of all, from a random one on: rather one used before than one of another group, and rather that than
// one that cannot be reached.
Target* Roster::best_left(const Group& group, const Route& route) {
  Target* best = nullptr;
  int least = 0;
  const size_t from = dice_.below(members_.size());
  for (size_t i = 0; i < members_.size(); ++i) {
    Target* target = members_[(from + i) % members_.size()];
    if (!target->chosen && !usable(*target)) continue;
    const int faults = target->endpoint->failing() * 8 + (&groups_[target->group] != &group) * 4 +
                       route.used(target) * 2 + !target->chosen;
    if (best && faults >= least) continue;
    best = target;
    least = faults;
  }
  return best;
}

}  // namespace duplex::client
