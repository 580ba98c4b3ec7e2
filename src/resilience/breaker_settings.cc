#include <charconv>

#include "duplex/resilience/breaker.h"

namespace duplex::resilience {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// "100 calls", or "60s".
config::Kind<Window> window() {
  const config::Kind<Duration> time = config::duration(seconds(1), hours(1));
  auto parse = [time](std::string_view text) -> Result<Window> {
    constexpr std::string_view kCalls = " calls";
    if (text.ends_with(kCalls)) {
      Result<int64_t> calls = config::integer(1, 100'000).parse(text.substr(0, text.size() - kCalls.size()));
      if (!calls) return calls.error();
      return Window{*calls, {}};
    }
    Result<Duration> span = time.parse(text);
    if (!span || *span % seconds(1) != Duration::zero())
      return Status::invalid_argument("\"" + std::string(text.substr(0, 100)) +
                                      "\" is no window: write `100 calls`, or whole seconds such as `60s`");
    return Window{0, *span};
  };
  auto show = [time](const Window& w) { return w.calls ? std::to_string(w.calls) + " calls" : time.show(w.time); };
  return {"calls or time", "", parse, show};
}

// A share that is reached by something that happened: 0 would be reached by nothing.
config::Kind<double> threshold() {
  config::Kind<double> kind = config::share();
  kind.parse = [parse = kind.parse](std::string_view text) -> Result<double> {
    Result<double> share = parse(text);
    if (share && *share <= 0)
      return Status::invalid_argument("\"" + std::string(text) +
                                      "\" would open the breaker without any failure; write a share above 0, such as "
                                      "0.5 or 50%; 1 opens when all calls failed or were slow");
    return share;
  };
  return kind;
}

}  // namespace

config::Table<BreakerSettings> breaker_table() {
  return config::Table<BreakerSettings>()
      .field("window", &BreakerSettings::window, window(), "What it looks back on: `100 calls` or `60s`.")
      .field("failure_rate", &BreakerSettings::failure_rate, threshold(), "It opens at this share of failures.")
      .field("slow_call", &BreakerSettings::slow_call, config::duration(milliseconds(1), hours(1)),
             "A unary call that takes longer is slow.")
      .field("slow_rate", &BreakerSettings::slow_rate, threshold(), "It opens at this share of slow calls.")
      .field("minimum", &BreakerSettings::minimum, config::integer(1, 100'000, "calls"),
             "So many calls must be in the window before a share counts; never more than a window of calls holds.")
      .field("consecutive", &BreakerSettings::consecutive, config::integer(0, 100'000, "failures"),
             "It opens after so many failures in a row, too; 0: shares alone decide.")
      .field("open_for", &BreakerSettings::open_for, config::duration(milliseconds(1), hours(24)),
             "How long calls are refused before some are let through to try.")
      .field("probes", &BreakerSettings::probes, config::integer(1, 10'000, "calls"),
             "How many calls are let through then; when they have ended, their shares decide.")
      .field("half_open_for", &BreakerSettings::half_open_for, config::duration(milliseconds(0), hours(24)),
             "If they have not ended after this time it opens again; 0: it waits for them.")
      .list("failures", &BreakerSettings::failures, cause(),
            "What counts as a failure of the peer. What is the caller's own doing (4xx, a cancel) should not.");
}

}  // namespace duplex::resilience
