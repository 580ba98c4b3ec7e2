// A body that is needed whole before anything can be made of it.
#pragma once

#include "duplex/http/exchange.h"

namespace duplex {

// All octets up to the body's end. RESOURCE_EXHAUSTED past `limit` octets; the exchange's error, or why ctx was
// cancelled.
Task<Result<Bytes>> read_whole_body(Context& ctx, http::Exchange& x, size_t limit);
// The same for one who goes on after ctx was cancelled, with another: `so_far` keeps what has come.
Task<Result<Bytes>> read_whole_body(Context& ctx, http::Exchange& x, size_t limit, Buffer& so_far);

}  // namespace duplex
