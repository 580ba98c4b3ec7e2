// Backoff: how long to wait before another attempt.
#pragma once

#include "duplex/config/table.h"

namespace duplex::resilience {

enum class Jitter : uint8_t {
  kFull,  // uniform from 0 to the bound, so that callers who failed together do not come back together
  kNone,
  kGrpc,  // the bound times 0.8 to 1.2 (gRFC A6)
};

struct BackoffSettings {
  Duration base = std::chrono::milliseconds(25);  // the bound before the second attempt
  Duration cap = std::chrono::seconds(1);         // the bound never grows past it
  double multiplier = 2;                          // by which it grows with each attempt; 1: constant
  Jitter jitter = Jitter::kFull;
};
config::Table<BackoffSettings> backoff_table();

// The wait before retry `n` (1: the first). `chance` is uniform in [0, 1).
Duration backoff(const BackoffSettings& settings, int n, double chance);

}  // namespace duplex::resilience
