// Fault: delays and failures of the user's own making, for drills.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duplex/config/table.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct FaultSettings {
  double share = 1;        // of the calls
  Duration delay{};        // before the call
  Code abort = Code::kOk;  // instead of the call; OK: none
  std::string header;      // only calls whose metadata has this name; its value, if it is a share, stands for `share`
};
config::Table<FaultSettings> fault_table();

// A call that is struck waits for `delay`, if there is one, and then fails with `abort`, if there is one. What fails so
// looks to retries, breakers and fallbacks as if the peer had failed. Reports kFault.
Filter fault(std::string peer, FaultSettings settings);

}  // namespace duplex::resilience
