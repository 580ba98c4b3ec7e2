#include "duplex/resilience/limit.h"

namespace duplex::resilience {

config::Table<LimitSettings> limit_table() {
  return config::Table<LimitSettings>()
      .field("in_flight", &LimitSettings::in_flight, config::integer(1, 1'000'000, "calls"),
             "Calls under way to the peer at the same time, from this process.")
      .field("queue", &LimitSettings::queue, config::integer(0, 1'000'000, "calls"),
             "Calls that may wait for their turn; further ones, and such as would wait past their deadline, are "
             "RESOURCE_EXHAUSTED at once.");
}

}  // namespace duplex::resilience
