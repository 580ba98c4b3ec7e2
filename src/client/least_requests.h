// LeastRequests: of two at random the one with fewer calls in flight.
#pragma once

#include "client/two_choices.h"

namespace duplex::client {

class LeastRequests final : public TwoChoices {
 public:
  using TwoChoices::TwoChoices;

 private:
  bool less(const Target& a, const Target& b, Time) const override {
    return static_cast<double>(a.calls) * b.weight < static_cast<double>(b.calls) * a.weight;
  }
};

}  // namespace duplex::client
