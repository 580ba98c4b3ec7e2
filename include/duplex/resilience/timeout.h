// Timeout: a deadline for unary calls, whatever their caller has set; a sooner one stands. Streams have none by this
// filter unless it is told so: they may be meant to last.
#pragma once

#include "duplex/service/service.h"

namespace duplex::resilience {

Filter timeout(Duration whole_call, bool streams_too = false);

}  // namespace duplex::resilience
