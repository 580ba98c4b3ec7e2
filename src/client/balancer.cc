#include "client/balancer.h"

#include "client/least_latency.h"
#include "client/least_requests.h"
#include "client/ring_hash.h"
#include "client/round_robin.h"
#include "client/weighted_round_robin.h"

namespace duplex::client {

std::unique_ptr<Balancer> make_balancer(BalancePolicy policy, bool weighted, uint64_t seed) {
  switch (policy) {
    case BalancePolicy::kRoundRobin:
      if (weighted) return std::make_unique<WeightedRoundRobin>(seed);
      return std::make_unique<RoundRobin>(seed);
    case BalancePolicy::kP2c:
      return std::make_unique<LeastRequests>(seed);
    case BalancePolicy::kEwma:
      return std::make_unique<LeastLatency>(seed);
    case BalancePolicy::kRingHash:
      return std::make_unique<RingHash>();
  }
  return nullptr;
}

}  // namespace duplex::client
