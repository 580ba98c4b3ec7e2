// Dice: chance for one balancer, so that a test can have the same throws again.
#pragma once

#include <cstdint>

namespace duplex::client {

class Dice {  // splitmix64
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // uniform in [0, 1)
  // Uniform in 0 .. n-1; n > 0.
  size_t below(size_t n) { return static_cast<size_t>(unit() * static_cast<double>(n)); }

 private:
  uint64_t state_;
};

}  // namespace duplex::client
