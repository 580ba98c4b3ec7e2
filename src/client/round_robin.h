// RoundRobin: each in turn, from a random one on, so that many clients do not begin with the same.
#pragma once

#include "client/balancer.h"
#include "client/dice.h"

namespace duplex::client {

class RoundRobin final : public Balancer {
 public:
  explicit RoundRobin(uint64_t seed) : turn_(Dice(seed).next() >> 1) {}
  void set(const std::vector<Target*>&, const std::vector<Target*>& choices) override { choices_ = choices; }
  Target* pick(uint64_t, size_t, Time) override { return choices_[turn_++ % choices_.size()]; }

 private:
  std::vector<Target*> choices_;
  uint64_t turn_;
};

}  // namespace duplex::client
