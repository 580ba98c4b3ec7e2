#include "app/policy_events.h"

#include <optional>

#include "duplex/telemetry/log.h"

namespace duplex::app {
namespace {

using Kind = resilience::Event::Kind;

// What an operator wants to read at 3 a.m.; the rest is a metric.
std::optional<LogLevel> notable(Kind kind) {
  switch (kind) {
    case Kind::kBreakerOpened:
    case Kind::kEjected:
    case Kind::kStaleAddresses:
    case Kind::kShed:
      return LogLevel::kWarn;
    case Kind::kBreakerHalfOpened:
    case Kind::kBreakerClosed:
    case Kind::kReturned:
    case Kind::kRateLimited:
      return LogLevel::kInfo;
    default:
      return std::nullopt;
  }
}

std::string_view sentence(Kind kind) {
  switch (kind) {
    case Kind::kRetry:
      return "a call is tried again";
    case Kind::kRetryGivenUp:
      return "a call is not tried again";
    case Kind::kHedge:
      return "a call is made a second time beside one that is slow";
    case Kind::kBreakerOpened:
      return "the circuit breaker opens";
    case Kind::kBreakerHalfOpened:
      return "the circuit breaker lets calls through to try";
    case Kind::kBreakerClosed:
      return "the circuit breaker closes";
    case Kind::kBreakerRefused:
      return "the circuit breaker refuses a call";
    case Kind::kLimitRefused:
      return "too many calls are under way";
    case Kind::kShed:
      return "calls are shed";
    case Kind::kRateLimited:
      return "callers ask too often";
    case Kind::kFallback:
      return "a fallback answers";
    case Kind::kEjected:
      return "an endpoint is left out for a while";
    case Kind::kReturned:
      return "an endpoint is back";
    case Kind::kFault:
      return "a fault is injected";
    case Kind::kStaleAddresses:
      return "a peer's addresses are those of before";
  }
  return "";
}

std::optional<double> breaker_state(Kind kind) {
  switch (kind) {
    case Kind::kBreakerClosed:
      return 0;
    case Kind::kBreakerOpened:
      return 1;
    case Kind::kBreakerHalfOpened:
      return 2;
    default:
      return std::nullopt;
  }
}

}  // namespace

PolicyEvents::PolicyEvents(Registry& registry)
    : events_(registry.counters("duplex_policy_events_total", "What retries, breakers, limits and fallbacks did.",
                                {"event", "peer", "rpc_method"})),
      breakers_(registry.gauges("duplex_breaker_state", "0: closed, 1: open, 2: half-open.", {"peer", "rpc_method"})) {}

void PolicyEvents::on(Context& ctx, const resilience::Event& event) {
  std::string_view method = event.method;
  if (method.starts_with('/')) method.remove_prefix(1);
  events_.with({resilience::event_name(event.kind), event.peer, method}).add();
  if (std::optional<double> state = breaker_state(event.kind)) breakers_.with({event.peer, method}).set(*state);
  const LogLevel level = notable(event.kind).value_or(LogLevel::kDebug);
  if (event.kind == Kind::kShed || event.kind == Kind::kRateLimited) {
    if (const uint64_t calls = refusals_to_tell(event.kind, method, ctx.loop().now()))
      log(ctx).write(level, sentence(event.kind),
                     {{"event.action", resilience::event_name(event.kind)},
                      {"rpc.method", method},
                      {"duplex.calls", calls},
                      {"event.reason", event.text}});
    return;
  }
  log(ctx).write(level, sentence(event.kind),
                 {{"event.action", resilience::event_name(event.kind)},
                  {"duplex.peer", event.peer},
                  {"rpc.method", method},
                  {"event.reason", event.text}});
}

uint64_t PolicyEvents::refusals_to_tell(Kind kind, std::string_view method, Time now) {
  constexpr Duration kBetweenLines = std::chrono::seconds(1);
  std::lock_guard lock(mutex_);
  auto of_method = refusals_.find({kind, std::string(method)});
  if (of_method == refusals_.end()) {
    const bool own = refusals_.size() < kMostRefusals;
    of_method = refusals_.try_emplace({kind, own ? std::string(method) : std::string()}).first;
  }
  Refusals& refusals = of_method->second;
  ++refusals.since;
  if (refusals.last_line != Time() && now - refusals.last_line < kBetweenLines) return 0;
  refusals.last_line = now;
  return std::exchange(refusals.since, 0);
}

}  // namespace duplex::app
