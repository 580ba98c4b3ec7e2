// Event: what a policy did, for metrics and the log. Filters report; who listens was put into the Context.
#pragma once

#include <string>
#include <string_view>

#include "duplex/runtime/context.h"

namespace duplex::resilience {

struct Event {
  enum class Kind : uint8_t {
    kRetry,         // one more attempt was made
    kRetryGivenUp,  // one would have been, but: text says what forbade it
    kHedge,         // an attempt was made beside one that is slow
    kBreakerOpened,
    kBreakerHalfOpened,
    kBreakerClosed,
    kBreakerRefused,  // a call, because the breaker is open
    kLimitRefused,    // a call, because too many are in flight and wait
    kShed,            // a call that came in, because the server is overloaded
    kRateLimited,     // a call that came in, because its caller asks too much
    kFallback,        // a call was answered in the peer's place
    kEjected,         // an endpoint is not chosen for a while
    kReturned,        // it is chosen again
    kStaleAddresses,  // a peer's names or files could not be read anew: its last known endpoints stay
    kFault,           // a failure of the user's own making
  };
  Event(Kind k, std::string_view p, std::string_view m, std::string t = {})
      : kind(k), peer(p), method(m), text(std::move(t)) {}
  Kind kind;
  std::string_view peer;    // "payments"; empty on the server's side
  std::string_view method;  // of the contract, never a URL; empty where it is about an endpoint
  std::string text;         // for the log
};

// "retry" for kRetry: the label of the metric.
std::string_view event_name(Event::Kind kind);

// Found in the Context; called on any loop.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on(Context& ctx, const Event& event) = 0;
};

inline void report(Context& ctx, const Event& event) {
  if (Observer* observer = ctx.find<Observer>()) observer->on(ctx, event);
}

}  // namespace duplex::resilience
