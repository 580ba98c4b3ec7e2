// Draw: one of several at random, each as often as its weight says. No memory is taken by a draw.
#pragma once

#include <algorithm>
#include <vector>

#include "client/dice.h"

namespace duplex::client {

class Draw {
 public:
  void set(const std::vector<double>& weights) {
    sums_.clear();
    bool even = true;
    double sum = 0;
    for (double weight : weights) {
      even &= weight == weights[0];
      sums_.push_back(sum += weight);
    }
    count_ = weights.size();
    if (even) sums_.clear();
  }
  size_t count() const { return count_; }
  // Of at least one.
  size_t one(Dice& dice) const {
    if (sums_.empty()) return dice.below(count_);
    const double at = dice.unit() * sums_.back();
    return std::min(static_cast<size_t>(std::upper_bound(sums_.begin(), sums_.end(), at) - sums_.begin()), count_ - 1);
  }
  // Another one than `not_this`, of at least two.
  size_t another(Dice& dice, size_t not_this) const {
    if (!sums_.empty())
      for (int i = 0; i < 8; ++i)
        if (size_t drawn = one(dice); drawn != not_this) return drawn;
    const size_t drawn = dice.below(count_ - 1);
    return drawn + (drawn >= not_this);
  }

 private:
  size_t count_ = 0;
  std::vector<double> sums_;  // empty: all have the same weight
};

}  // namespace duplex::client
