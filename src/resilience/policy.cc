#include "duplex/resilience/policy.h"

namespace duplex::resilience {

config::Table<Policy> policy_table() {
  return config::Table<Policy>()
      .field("timeout", &Policy::timeout, config::duration(std::chrono::milliseconds(1), std::chrono::hours(24)),
             "How long a call may take as a whole, all attempts included; never longer than its caller's own deadline.")
      .field("wait_for_ready", &Policy::wait_for_ready, config::boolean(),
             "A call to a peer that cannot be reached waits for it until its deadline, instead of failing.")
      .optional("retry", &Policy::retry, retry_table(), "Another attempt where one failed.")
      .optional("hedge", &Policy::hedge, hedge_table(), "Another attempt beside one that is slow; not beside `retry`.")
      .optional("breaker", &Policy::breaker, breaker_table(), "Calls are refused at once while the peer fails.")
      .optional("fallback", &Policy::fallback, fallback_table(), "An answer in the peer's place.")
      .optional("fault", &Policy::fault, fault_table(), "Failures of your own making, for drills.");
}

}  // namespace duplex::resilience
