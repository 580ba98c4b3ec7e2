#include "duplex/client/balance.h"

namespace duplex::client {

using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

config::Table<EjectSettings> eject_table() {
  return config::Table<EjectSettings>()
      .field("consecutive", &EjectSettings::consecutive, config::integer(1, 100'000, "failures"),
             "After so many failures in a row an endpoint is not chosen for a while.")
      .field("for", &EjectSettings::lasts, config::duration(milliseconds(1), hours(1)),
             "For how long the first time; as often as it happens again, so much longer.")
      .field("at_most", &EjectSettings::at_most, config::share(),
             "Of the endpoints, so many are out at a time at most.");
}

config::Table<HealthSettings> health_table() {
  return config::Table<HealthSettings>()
      .field("check", &HealthSettings::check, config::nonempty_text(),
             "How an endpoint is asked: `grpc` (grpc.health.v1), or an HTTP path such as `/readyz`.")
      .field("service", &HealthSettings::service, config::text(), "The service that grpc.health.v1 is asked for.")
      .field("every", &HealthSettings::every, config::duration(milliseconds(10), hours(1)), "How often.")
      .field("timeout", &HealthSettings::timeout, config::duration(milliseconds(1), hours(1)),
             "No answer in this time is a bad one.")
      .field("unhealthy", &HealthSettings::unhealthy, config::integer(1, 1000, "checks"),
             "So many bad ones in a row take it out.")
      .field("healthy", &HealthSettings::healthy, config::integer(1, 1000, "checks"),
             "So many good ones in a row bring it back.");
}

}  // namespace

config::Table<BalanceSettings> balance_table() {
  return config::Table<BalanceSettings>()
      .field(
          "policy", &BalanceSettings::policy,
          config::one_of<BalancePolicy>({{"p2c", BalancePolicy::kP2c},
                                         {"round_robin", BalancePolicy::kRoundRobin},
                                         {"ewma", BalancePolicy::kEwma},
                                         {"ring_hash", BalancePolicy::kRingHash}}),
          "`p2c`: of two at random the one with fewer calls under way; `ewma`: the one whose answers cost less time; "
          "`round_robin`: in turn; `ring_hash`: the same key, the same endpoint.")
      .field("hash", &BalanceSettings::hash, config::text(), "The key of `ring_hash`: `metadata:x-user`.")
      .optional("eject", &BalanceSettings::eject, eject_table(), "Endpoints that fail are left out for a while.")
      .optional("health", &BalanceSettings::health, health_table(), "Endpoints are asked whether they are well.")
      .field("panic", &BalanceSettings::panic, config::share(),
             "If fewer than this share of the endpoints may be chosen, all are, since the fault is elsewhere.")
      .field("slow_start", &BalanceSettings::slow_start, config::duration(milliseconds(0), hours(1)),
             "In this time an endpoint that is new or back grows into its share.");
}

}  // namespace duplex::client
