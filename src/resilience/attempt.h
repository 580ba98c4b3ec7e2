// What retries and hedges say of an attempt: to the peer, and to the log.
#pragma once

#include <string>

#include "duplex/service/service.h"

namespace duplex::resilience {

// The call's metadata, with the number of attempts that were made before this one.
Metadata attempt_metadata(const Metadata& of_call, int before);

// "UNAVAILABLE: payments (10.0.0.7:8080): connection refused", "HTTP 503": how the log names a failure, in a line.
std::string shown(const Outcome& outcome);

// Where the attempts are made for a call that is answered here: if that fails, its own caller is asked not to make it
// again (gRFC A6, "Pushback"). For when the budget is empty: who is behind it fails for all, and a caller's attempts
// would each become a further one there.
void ask_for_no_retry(Context& ctx);

}  // namespace duplex::resilience
