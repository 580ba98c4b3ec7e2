// WeightedRoundRobin: each in turn, as often as its weight says.
#pragma once

#include "client/balancer.h"
#include "client/turns.h"

namespace duplex::client {

class WeightedRoundRobin final : public Balancer {
 public:
  explicit WeightedRoundRobin(uint64_t seed) : dice_(seed) {}
  void set(const std::vector<Target*>&, const std::vector<Target*>& choices) override {
    choices_ = choices;
    std::vector<double> weights;
    for (const Target* target : choices) weights.push_back(target->weight);
    turns_.set(weights, dice_);
  }
  Target* pick(uint64_t, size_t, Time) override { return choices_[turns_.next()]; }

 private:
  Dice dice_;
  Turns turns_;
  std::vector<Target*> choices_;
};

}  // namespace duplex::client
