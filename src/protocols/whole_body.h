// A body that is needed whole before anything can be made of it.
#pragma once

#include "duplex/http/exchange.h"

namespace duplex {

// All octets up to the body's end. RESOURCE_EXHAUSTED past `limit` octets; the exchange's error, or why ctx was
// cancelled.
Task<Result<Bytes>> read_whole_body(Context& ctx, http::Exchange& x, size_t limit);

}  // namespace duplex
