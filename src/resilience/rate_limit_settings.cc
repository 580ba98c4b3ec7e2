#include "duplex/resilience/rate_limit.h"

namespace duplex::resilience {
namespace {

config::Kind<std::string> key() {
  auto parse = [](std::string_view text) -> Result<std::string> {
    if (Status s = check_rate_limit_key(text); !s.is_ok()) return s;
    return std::string(text);
  };
  return {"key", "", parse, [](const std::string& text) { return text; }};
}

}  // namespace

config::Table<RateLimitSettings> rate_limit_table() {
  return config::Table<RateLimitSettings>()
      .field("key", &RateLimitSettings::key, key(),
             "Who shares a rate: `metadata:x-tenant`, `peer` (the caller's address), `method`; empty: all together.")
      .field("rate", &RateLimitSettings::rate, config::rate(0.001, 1e9), "Calls of one key.")
      .field("burst", &RateLimitSettings::burst, config::integer(1, 1'000'000'000, "calls"),
             "Calls of one key that may come at once after a quiet time.")
      .field("entries", &RateLimitSettings::entries, config::integer(1, 10'000'000, "keys"),
             "Keys that are known at a time; the one used longest ago makes room.");
}

}  // namespace duplex::resilience
