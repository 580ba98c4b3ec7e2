// Balancer: which of a group's endpoints takes the next call. One a loop, like all that it looks at.
#pragma once

#include <memory>
#include <vector>

#include "client/target.h"
#include "duplex/client/balance.h"

namespace duplex::client {

class Balancer {
 public:
  virtual ~Balancer() = default;
  // `members`: the endpoints of the group; `choices`: those of them that may be chosen. After each change of either, of
  // a weight too.
  virtual void set(const std::vector<Target*>& members, const std::vector<Target*>& choices) = 0;
  // One of the choices, which are not empty. `key`: the call's, where the policy goes by a key. `round`: how often it
  // was asked for the same call before, since what it gave would not do.
  virtual Target* pick(uint64_t key, size_t round, Time now) = 0;
};

// `weighted`: the choices differ in weight. `seed`: of its chance.
std::unique_ptr<Balancer> make_balancer(BalancePolicy policy, bool weighted, uint64_t seed);

}  // namespace duplex::client
