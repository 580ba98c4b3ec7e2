#include "duplex/resilience/event.h"

namespace duplex::resilience {

std::string_view event_name(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::kRetry:
      return "retry";
    case Event::Kind::kRetryGivenUp:
      return "retry_given_up";
    case Event::Kind::kHedge:
      return "hedge";
    case Event::Kind::kBreakerOpened:
      return "breaker_opened";
    case Event::Kind::kBreakerHalfOpened:
      return "breaker_half_opened";
    case Event::Kind::kBreakerClosed:
      return "breaker_closed";
    case Event::Kind::kBreakerRefused:
      return "breaker_refused";
    case Event::Kind::kLimitRefused:
      return "limit_refused";
    case Event::Kind::kShed:
      return "shed";
    case Event::Kind::kRateLimited:
      return "rate_limited";
    case Event::Kind::kFallback:
      return "fallback";
    case Event::Kind::kEjected:
      return "ejected";
    case Event::Kind::kReturned:
      return "returned";
    case Event::Kind::kStaleAddresses:
      return "stale_addresses";
    case Event::Kind::kFault:
      return "fault";
  }
  return "";
}

}  // namespace duplex::resilience
