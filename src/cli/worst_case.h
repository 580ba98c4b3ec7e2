// The longest that a call can take by a policy, drawn.
#pragma once

#include <string>
#include <vector>

#include "duplex/resilience/policy.h"

namespace duplex::cli {

// A stretch of a call at its slowest.
struct Stretch {
  enum class Kind : uint8_t { kAttempt, kWait };
  Kind kind;
  int attempt;  // of a wait: the one before it
  Duration begins, ends;
};

// Each attempt takes as long as it may and fails, each wait is the longest. Ends with the timeout.
std::vector<Stretch> worst_case(const resilience::Policy& policy);

// A line a stretch, with a bar to scale.
std::string draw_worst_case(const resilience::Policy& policy);

}  // namespace duplex::cli
