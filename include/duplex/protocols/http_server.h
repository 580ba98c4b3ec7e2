// The server half of plain HTTP: an exchange as a Call of opaque chunks, streamed both ways.
//
// Call::metadata holds the request's fields and, in front, the pseudo-metadata ":method", ":path" and ":authority", and
// ":path.NAME" for each variable of the route's path, percent-decoded.
// The answer's head may hold ":status" (default 200). An Outcome that is not OK before the head is a problem document.
#pragma once

#include "duplex/http/exchange.h"
#include "duplex/service/service.h"

namespace duplex::plain {

// `variables`: named ":path.NAME" already.
Task<void> serve(Context& ctx, http::Exchange& x, const Method& method, Service& service, Metadata variables = {});

}  // namespace duplex::plain
