#include "duplex/client/balance.h"

#include <algorithm>

namespace duplex::client {

using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

config::Table<EjectSettings> eject_table() {
  return config::Table<EjectSettings>()
      .field("consecutive", &EjectSettings::consecutive, config::integer(1, 100'000, "failures"),
             "After so many failures in a row an endpoint is not chosen for a while.")
      .field("for", &EjectSettings::lasts, config::duration(milliseconds(1), hours(1)),
             "For how long the first time; times how often it has happened, at most 30 times.")
      .field("at_most", &EjectSettings::at_most, config::share(),
             "Of the endpoints, so many are out at a time at most, rounded down; one always stays.");
}

constexpr std::string_view kMetadata = "metadata:";

config::Kind<std::string> hash_key() {
  config::Kind<std::string> kind = config::text();
  kind.type = "key";
  kind.parse = [](std::string_view text) -> Result<std::string> {
    const std::string_view name = text.substr(std::min(text.size(), kMetadata.size()));
    const bool lower =
        std::none_of(name.begin(), name.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == ' '; });
    if (text.starts_with(kMetadata) && !name.empty() && lower) return std::string(text);
    return Status::invalid_argument("\"" + std::string(text.substr(0, 100)) +
                                    "\" is no key: write metadata:x-user, the name in lower case");
  };
  return kind;
}

config::Kind<std::string> health_question() {
  config::Kind<std::string> kind = config::text();
  kind.parse = [](std::string_view text) -> Result<std::string> {
    const bool path = text.starts_with('/') && text.find_first_of(" \t\r\n#") == std::string_view::npos;
    if (text == "grpc" || path) return std::string(text);
    return Status::invalid_argument("\"" + std::string(text.substr(0, 100)) +
                                    "\" is no health check: write grpc, or an HTTP path such as /readyz");
  };
  return kind;
}

config::Table<HealthSettings> health_table() {
  return config::Table<HealthSettings>()
      .field("check", &HealthSettings::check, health_question(),
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
      .field("hash", &BalanceSettings::hash, hash_key(),
             "The key of `ring_hash`: `metadata:x-user`; a call without it goes to any endpoint.")
      .optional("eject", &BalanceSettings::eject, eject_table(), "Endpoints that fail are left out for a while.")
      .optional("health", &BalanceSettings::health, health_table(), "Endpoints are asked whether they are well.")
      .field("panic", &BalanceSettings::panic, config::share(),
             "If fewer than this share of the endpoints may be chosen, all are, since the fault is elsewhere.")
      .field("slow_start", &BalanceSettings::slow_start, config::duration(milliseconds(0), hours(1)),
             "In this time an endpoint that is new or back grows into its share.");
}

Status check(const std::string& peer, const BalanceSettings& settings) {
  if (settings.policy == BalancePolicy::kRingHash) {
    if (settings.hash.empty())
      return Status::invalid_argument(peer + ": balance: ring_hash needs a key: write hash: metadata:x-user");
    if (Result<std::string> key = hash_key().parse(settings.hash); !key)
      return Status::invalid_argument(peer + ": balance.hash: " + key.error().message());
  }
  if (settings.eject && (settings.eject->lasts <= Duration::zero() || settings.eject->consecutive < 1))
    return Status::invalid_argument(peer + ": balance.eject: consecutive and for are above 0");
  if (settings.health)
    if (Result<std::string> question = health_question().parse(settings.health->check); !question)
      return Status::invalid_argument(peer + ": balance.health.check: " + question.error().message());
  return {};
}

}  // namespace duplex::client
