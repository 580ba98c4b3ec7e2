// Balance: which of a peer's endpoints takes the next call.
#pragma once

#include <optional>
#include <string>

#include "duplex/config/table.h"

namespace duplex::client {

enum class BalancePolicy : uint8_t { kRoundRobin, kP2c, kEwma, kRingHash };

struct EjectSettings {
  int64_t consecutive = 5;                    // failures in a row
  Duration lasts = std::chrono::seconds(10);  // times how often it was ejected before
  double at_most = 0.5;                       // share of the endpoints that may be ejected at a time
};

struct HealthSettings {
  std::string check = "grpc";  // "grpc" (grpc.health.v1), or an HTTP path: "/readyz"
  std::string service;         // of grpc.health.v1
  Duration every = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(1);
  int64_t unhealthy = 2, healthy = 2;  // checks in a row that change its state
};

struct BalanceSettings {
  BalancePolicy policy = BalancePolicy::kP2c;
  std::string hash;  // of kRingHash: "metadata:x-user"
  std::optional<EjectSettings> eject;
  std::optional<HealthSettings> health;
  double panic = 0.5;     // fewer than this share chosen from: health and ejection are ignored
  Duration slow_start{};  // an endpoint that is new or back takes its share by and by
};
config::Table<BalanceSettings> balance_table();

}  // namespace duplex::client
