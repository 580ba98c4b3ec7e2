// Balance: which of a peer's endpoints takes the next call. Each loop decides for itself, by what it has seen.
//
// What speaks against an endpoint is what speaks against a peer to its breaker: UNAVAILABLE, DEADLINE_EXCEEDED,
// INTERNAL, UNKNOWN and DATA_LOSS; never INVALID_ARGUMENT, NOT_FOUND, other 4xx, or a caller's own cancel.
#pragma once

#include <optional>
#include <string>

#include "duplex/config/table.h"

namespace duplex::client {

enum class BalancePolicy : uint8_t { kRoundRobin, kP2c, kEwma, kRingHash };

struct EjectSettings {
  int64_t consecutive = 5;  // failures in a row
  // Times how often it was ejected, but not more than 30 times; it is forgiven an ejection for each such time that it
  // is well afterwards.
  Duration lasts = std::chrono::seconds(10);
  double at_most = 0.5;  // share of the endpoints that may be ejected at a time, rounded down; one always stays
  friend bool operator==(const EjectSettings&, const EjectSettings&) = default;
};

struct HealthSettings {
  std::string check = "grpc";  // "grpc" (grpc.health.v1), or an HTTP path: "/readyz"
  std::string service;         // of grpc.health.v1
  Duration every = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(1);
  int64_t unhealthy = 2, healthy = 2;  // checks in a row that change its state
  friend bool operator==(const HealthSettings&, const HealthSettings&) = default;
};

struct BalanceSettings {
  BalancePolicy policy = BalancePolicy::kP2c;
  std::string hash;  // the key of kRingHash: "metadata:x-user"; a call that has none goes to any endpoint
  std::optional<EjectSettings> eject;
  std::optional<HealthSettings> health;
  double panic = 0.5;     // fewer than this share chosen from: health and ejection are ignored
  Duration slow_start{};  // an endpoint that is new or back takes its share by and by
  friend bool operator==(const BalanceSettings&, const BalanceSettings&) = default;
};
config::Table<BalanceSettings> balance_table();

// What no single setting shows to be wrong. INVALID_ARGUMENT names the peer and the mend.
Status check(const std::string& peer, const BalanceSettings& settings);

}  // namespace duplex::client
