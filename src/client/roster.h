// Roster: the endpoints of a peer, which of them may be chosen, and the one that is.
//
// An endpoint is left out while it is ejected (it failed several times in a row) or unhealthy (its checks say so). It
// is a state machine of plain code: what it is told, and the time, are all that it knows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/balancer.h"
#include "client/turns.h"
#include "duplex/client/route.h"

namespace duplex::client {

class Roster {
 public:
  // `groups`: the weights of a split; one where there is none. `seed`: of its chance.
  Roster(const BalanceSettings& settings, const std::vector<double>& groups, uint64_t seed);

  // All endpoints that the peer has now; they outlive the next set(). Those that were not there before are new.
  void set(const std::vector<Target*>& members, Time now);
  const std::vector<Target*>& members() const { return members_; }

  // The endpoint, if there is one alone and it may be chosen; else null.
  Target* only() const { return only_; }
  // Who takes a call: not one that the route has used, nor one that cannot be reached, if there is another. Null: no
  // endpoint may be chosen.
  Target* pick(uint64_t key, const Route& route, Time now);

  // A call on it has ended.
  void succeeded(Target& target) { target.failed_in_a_row = 0; }
  void failed(Target& target, Time now);
  // What its checks say; `why` is for people.
  void set_healthy(Target& target, bool healthy, const std::string& why, Time now);
  // Brings back whoever's time has come; pick() does it too.
  void catch_up(Time now) {
    if (now >= next_return_) bring_back(now);
  }

  // Who was left out or brought back since the last time it was asked.
  struct Change {
    bool out;
    std::string text;
  };
  bool has_changes() const { return !changes_.empty(); }
  std::vector<Change> take_changes() { return std::exchange(changes_, {}); }

 private:
  struct Group {
    double weight = 1;
    std::unique_ptr<Balancer> balancer;
    bool weighted = false;
    std::vector<Target*> members, choices;
  };
  size_t may_be_ejected() const;
  size_t ejected() const;
  void eject(Target& target, Time now);
  void come_back(Target& target, Time now);
  void bring_back(Time now);
  void choose();
  void choose(Group& group);
  bool takes(const Target& target, Time now);
  Target* best_left(const Group& group, const Route& route);

  const BalanceSettings settings_;
  Dice dice_;
  std::vector<Target*> members_;
  std::vector<Group> groups_;
  std::vector<Group*> open_;  // groups with a choice
  Turns group_turns_;
  Target* only_ = nullptr;  // there is one endpoint, and it may be chosen
  Time next_return_ = kNever;
  std::vector<Change> changes_;
};

}  // namespace duplex::client
