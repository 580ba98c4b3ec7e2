// Chance for jitter and choice: fast, and not secret (see ids.h).
#pragma once

#include "duplex/base/ids.h"

namespace duplex {

// Uniform in [0, 1).
inline double random_unit() { return static_cast<double>(fast_random() >> 11) * 0x1p-53; }
// Uniform in 0 .. n-1, to within n parts of 2^53; n > 0.
inline uint64_t random_below(uint64_t n) { return static_cast<uint64_t>(random_unit() * static_cast<double>(n)); }

}  // namespace duplex
