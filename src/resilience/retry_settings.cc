#include "duplex/resilience/retry.h"

namespace duplex::resilience {

using std::chrono::hours;
using std::chrono::milliseconds;

config::Table<BudgetSettings> budget_table() {
  return config::Table<BudgetSettings>()
      .field("ratio", &BudgetSettings::ratio, config::number(0, 10, "retries a call"),
             "How many retries a call allows for: 0.2 is one for five calls, over the last ten seconds.")
      .field("floor", &BudgetSettings::floor, config::rate(0, 1e6),
             "Retries that are allowed however few calls there are.");
}

namespace {

config::Kind<Repeat> repeat() {
  return config::one_of<Repeat>(
      {{"auto", Repeat::kAuto}, {"yes", Repeat::kAlways}, {"no", Repeat::kNever}, {"by_key", Repeat::kByKey}});
}
constexpr const char* kRepeatDoc =
    "Whether a call that the peer may have seen is made again. `auto`: if the method's `idempotency_level` or its HTTP "
    "verb allows it, or the call carries an `idempotency-key`; `by_key`: if it carries one.";
constexpr const char* kRememberDoc =
    "How much of a request is kept for another attempt; a longer one is sent once, and the log says so.";

}  // namespace

config::Table<RetrySettings> retry_table() {
  return config::Table<RetrySettings>()
      .field("attempts", &RetrySettings::attempts, config::integer(1, 10, "attempts"),
             "How often a call is made at most, the first time included.")
      .field("per_try", &RetrySettings::per_try, config::duration(milliseconds(0), hours(1)),
             "How long one attempt may take, or a stream of replies until it begins; 0: as long as the call. One that "
             "takes "
             "longer is tried again.")
      .field("elapsed", &RetrySettings::elapsed, config::duration(milliseconds(0), hours(1)),
             "After this time no further attempt is made; 0: the call's deadline alone decides.")
      .section("backoff", &RetrySettings::backoff, backoff_table(), "The wait between attempts.")
      .list("on", &RetrySettings::on, cause(),
            "Which failures are tried again: gRPC codes, and HTTP statuses of peers that speak HTTP. A 429 that says "
            "when to come back (`Retry-After`) is tried again without being named.")
      .section("budget", &RetrySettings::budget, budget_table(),
               "How much of the peer's traffic may be retries and hedges; one for all its methods.")
      .field("idempotent", &RetrySettings::idempotent, repeat(), kRepeatDoc)
      .field("remember", &RetrySettings::remember, config::size(0, 64 << 20), kRememberDoc);
}

config::Table<HedgeSettings> hedge_table() {
  return config::Table<HedgeSettings>()
      .field("attempts", &HedgeSettings::attempts, config::integer(1, 10, "attempts"),
             "How many attempts run at most, the first included.")
      .field("delay", &HedgeSettings::delay, config::duration(milliseconds(0), hours(1)),
             "How long an attempt may be silent before the next is made beside it; 0: all at once.")
      .list("non_fatal", &HedgeSettings::non_fatal, cause(),
            "Failures after which the next attempt is made at once; any other ends the call.")
      .field("idempotent", &HedgeSettings::idempotent, repeat(), kRepeatDoc)
      .field("remember", &HedgeSettings::remember, config::size(0, 64 << 20), kRememberDoc);
}

}  // namespace duplex::resilience
