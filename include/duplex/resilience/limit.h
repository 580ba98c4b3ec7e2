// Limit: how many calls to a peer may be under way at once (a bulkhead), and how many more may wait for their turn.
#pragma once

#include "duplex/config/table.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct LimitSettings {
  int64_t in_flight = 200;
  int64_t queue = 50;  // calls that wait; one that cannot be served before its deadline is refused at once
};
config::Table<LimitSettings> limit_table();

}  // namespace duplex::resilience
