// TwoChoices: of two at random the one with less load. That is nearly as good as knowing the least loaded of all, costs
// the same however many there are, and does not send everybody to the same one ("the power of two choices").
//
// Two are drawn by weight, and load is counted by weight; so shares are those of the weights while nobody is loaded,
// and in-flight calls are while all are.
#pragma once

#include "client/balancer.h"
#include "client/draw.h"

namespace duplex::client {

class TwoChoices : public Balancer {
 public:
  explicit TwoChoices(uint64_t seed) : dice_(seed) {}
  void set(const std::vector<Target*>&, const std::vector<Target*>& choices) final {
    choices_ = choices;
    std::vector<double> weights;
    for (const Target* target : choices) weights.push_back(target->weight);
    draw_.set(weights);
  }
  Target* pick(uint64_t, size_t, Time now) final {
    const size_t first = draw_.one(dice_);
    if (choices_.size() == 1) return choices_[first];
    const size_t second = draw_.another(dice_, first);
    return less(*choices_[second], *choices_[first], now) ? choices_[second] : choices_[first];
  }

 protected:
  // Has `a` less load than `b`? Not if it is the same: then the one that was drawn first is taken.
  virtual bool less(const Target& a, const Target& b, Time now) const = 0;

 private:
  Dice dice_;
  Draw draw_;
  std::vector<Target*> choices_;
};

}  // namespace duplex::client
