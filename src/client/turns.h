// Turns: who is next, of several of whom each comes as often as its weight says, and as evenly as can be: of weights 2
// and 1, A B A, A B A.
//
// Whose turn is due first has it; its next one is due 1/weight later (earliest deadline first). Exact for any weights;
// a turn costs the logarithm of their number, and no memory.
#pragma once

#include <algorithm>
#include <vector>

#include "client/dice.h"

namespace duplex::client {

class Turns {
 public:
  // Each begins somewhere within its turn, so that many clients do not begin with the same one.
  void set(const std::vector<double>& weights, Dice& dice) {
    turns_.clear();
    for (size_t i = 0; i < weights.size(); ++i) turns_.push_back({dice.unit() / weights[i], 1 / weights[i], i});
    std::make_heap(turns_.begin(), turns_.end(), later);
  }
  size_t next() {
    std::pop_heap(turns_.begin(), turns_.end(), later);
    Turn& turn = turns_.back();
    const size_t which = turn.which;
    turn.due += turn.every;
    std::push_heap(turns_.begin(), turns_.end(), later);
    return which;
  }

 private:
  struct Turn {
    double due, every;
    size_t which;
  };
  static bool later(const Turn& a, const Turn& b) { return a.due > b.due; }
  std::vector<Turn> turns_;  // a heap, the first due in front
};

}  // namespace duplex::client
