// What a caller streams and what it is answered, at once, on one exchange: for the client halves of gRPC and plain
// HTTP.
#pragma once

#include <exception>

#include "duplex/http/exchange.h"
#include "duplex/runtime/scope.h"
#include "duplex/service/service.h"

namespace duplex {

// How a protocol writes a message, and the end of what its caller streams.
using SendMessage = void (*)(http::Exchange&, const Message&);
using SendEnd = void (*)(http::Exchange&, const Source&);

// What failed on the way of a request.
struct RequestFailure {
  Status status;
  std::exception_ptr thrown;
};

// Sends what `in` gives, as there is room. Its error breaks the exchange off; so does what it throws, which ends
// `call`.
Task<void> send_request(Context& ctx, Source& in, http::Exchange& x, SendMessage send, SendEnd end, Context& call,
                        RequestFailure& failure);

// Does that beside respond(Context&) -> Task<Outcome>. What the caller's Source or Sink throws comes out of here when
// both have ended.
template <class Respond>
Task<Outcome> both_ways(Context& ctx, Source& in, http::Exchange& x, SendMessage send, SendEnd end,
                        const Respond& respond) {
  RequestFailure failure;
  Outcome outcome;
  {
    Context both(ctx);
    Scope scope(both);
    scope.spawn([&](Context& child) { return send_request(child, in, x, send, end, both, failure); });
    try {
      outcome = co_await respond(both);
    } catch (...) {
      if (!failure.thrown) failure.thrown = std::current_exception();
    }
    both.cancel(Status::cancelled("the call has ended"));
    co_await scope.join();  // core.md, scenario (i): the request may be parked in somebody else's next()
  }
  if (failure.thrown) std::rethrow_exception(failure.thrown);
  if (!failure.status.is_ok()) co_return failure.status;
  co_return outcome;
}

}  // namespace duplex
