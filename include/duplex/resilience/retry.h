// Retry: another attempt where the first failed, if that is safe, of use, and within the peer's budget.
//
// The rules are gRPC's (gRFC A6) for the transparent part, pushback and commitment, and RFC 9110's (sections 9.2.2 and
// 10.2.3) for HTTP verbs and Retry-After.
#pragma once

#include <memory>
#include <optional>

#include "duplex/config/table.h"
#include "duplex/resilience/backoff.h"
#include "duplex/resilience/budget.h"
#include "duplex/resilience/cause.h"

namespace duplex::resilience {

// Whether a call may be made again though the peer may have seen it.
enum class Repeat : uint8_t {
  kAuto,  // its idempotency_level or its HTTP verb allows it, or it carries an `idempotency-key`
  kAlways,
  kNever,  // only what was surely not seen
  kByKey,  // it carries an `idempotency-key`
};

struct RetrySettings {
  int64_t attempts = 3;  // the first included
  // Of one attempt, of a stream of replies until it has begun; zero: no limit of its own. One that takes longer is
  // tried again like a cause of `on`.
  Duration per_try{};
  Duration elapsed{};  // after which no further attempt begins; zero: the call's own deadline alone
  BackoffSettings backoff;
  std::vector<Cause> on{Cause::of(Code::kUnavailable), Cause::http(502), Cause::http(503), Cause::http(504)};
  BudgetSettings budget;  // the peer's: a method's own is not read
  Repeat idempotent = Repeat::kAuto;
  uint64_t remember = 256 << 10;  // octets of a request's messages that are kept for another attempt
};
config::Table<RetrySettings> retry_table();

// Attempts beside one that is slow; the first good answer wins.
struct HedgeSettings {
  int64_t attempts = 2;                                         // the first included
  Duration delay = std::chrono::milliseconds(100);              // after which the next is made
  std::vector<Cause> non_fatal{Cause::of(Code::kUnavailable)};  // an attempt that fails so makes the next one at once
  Repeat idempotent = Repeat::kAuto;
  uint64_t remember = 256 << 10;
};
config::Table<HedgeSettings> hedge_table();

// May this call be made again though it may have been seen?
bool repeatable(const Call& call, Repeat rule);
// By kAuto, whatever its calls carry: the contract says so, or the verb that a plain method is named for ("http:GET").
bool repeatable(const Method& method);

// Both share `budget` with all else that makes further attempts to that peer; null: no budget. They report kRetry,
// kHedge, and kRetryGivenUp where an attempt would have been made but for what the text says. The Outcome is the last
// attempt's; a hedge's is that of the attempt that has won, or of the last that failed.
Filter retry(std::string peer, RetrySettings settings, std::shared_ptr<Budget> budget);
Filter hedge(std::string peer, HedgeSettings settings, std::shared_ptr<Budget> budget);

}  // namespace duplex::resilience
