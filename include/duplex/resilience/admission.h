// Admission: which of the calls that come in a server takes on: an adaptive limit of those under way, and rates by key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duplex/config/table.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct AdaptiveSettings {
  int64_t start = 20;  // calls at once, to begin with
  int64_t least = 4;
  int64_t most = 10'000;
};

enum class Shed : uint8_t {
  kByPriority,  // the metadata `x-priority`, 0 (shed last) to 9 (shed first), 5 without one
  kEvenly,
};

struct ServerLimitSettings {
  std::optional<AdaptiveSettings> adaptive;
  int64_t in_flight = 0;  // a fixed limit; 0: none
  Shed shed = Shed::kByPriority;
  Duration retry_after = std::chrono::seconds(1);  // what a refused caller is told
};
config::Table<ServerLimitSettings> server_limit_table();

struct RateLimitSettings {
  std::string key;      // "metadata:x-tenant", "peer" (its address without the port), "method", or "" for all together
  double rate = 100;    // calls a second
  int64_t burst = 200;  // calls at once
  int64_t entries = 10'000;  // keys that are known at a time; the one used longest ago goes
};
config::Table<RateLimitSettings> rate_limit_table();

}  // namespace duplex::resilience
