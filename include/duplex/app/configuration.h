// Configuration: all settings of one start or reload, checked, and never changed afterwards. Each room declares its own
// (a Table); here they are put together into `duplex.yaml`.
//
//   Result<Configuration> c = load_configuration("duplex.yaml", config::process_environment());
//   if (!c) return complain(c.error().message());   // a line a mistake: "duplex.yaml:3:5: server.lisen: ..."
//   for (const std::string& address : c->server.listen) ...
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duplex/base/log.h"
#include "duplex/client/balance.h"
#include "duplex/config/find.h"
#include "duplex/config/table.h"
#include "duplex/resilience/admission.h"
#include "duplex/resilience/policy.h"
#include "duplex/resilience/rate_limit.h"
#include "duplex/resilience/service_config.h"
#include "duplex/runtime/tls.h"

namespace duplex {

struct ServiceSettings {
  std::string name = "unknown_service";  // OpenTelemetry's name for a service that has none
};

struct ServerSettings {
  std::vector<std::string> listen{"0.0.0.0:8080"};
  uint64_t max_message = 4 << 20;  // octets
  Duration grace = std::chrono::seconds(20);
  int64_t max_connections = 10'000;
  int64_t max_streams = 100;  // a connection
  int64_t loops = 0;          // 0: one a core
  Duration coalesce = std::chrono::microseconds(30);
  bool reflection = false;
  std::optional<TlsServerSettings> tls;
  std::optional<resilience::ServerLimitSettings> limit;
  std::vector<resilience::RateLimitSettings> rate_limit;
};

enum class PeerProtocol : uint8_t { kGrpc, kRest };
enum class HttpVersion : uint8_t { kOfProtocol, kHttp11, kHttp2 };

// A peer's policy is that of all its methods, but for those in `methods`, which begin from it.
struct PeerSettings : resilience::Policy {
  std::string address;
  PeerProtocol protocol = PeerProtocol::kGrpc;
  HttpVersion http_version = HttpVersion::kOfProtocol;
  std::optional<TlsClientSettings> tls;
  bool gzip = false;
  Duration connect_timeout = std::chrono::seconds(3);
  uint64_t max_message = 4 << 20;  // octets
  std::optional<resilience::LimitSettings> limit;
  client::BalanceSettings balance;
  std::map<std::string, resilience::Policy> methods;
  resilience::ServiceConfigSetting service_config;
};

struct LogSettings {
  LogLevel level = LogLevel::kInfo;
  std::string file = "stderr";  // "stdout", "stderr" or a path; for LogSink::open
  bool access = true;
};

struct Configuration {
  ServiceSettings service;
  ServerSettings server;
  std::map<std::string, PeerSettings> peers;
  LogSettings log;
  // What it was read from, so that a mistake that shows later can name its line; null: nothing.
  std::shared_ptr<const config::Value> written;
};

config::Table<Configuration> configuration_table();

// Reads the file (none, if path is empty: all defaults) and lays `environment` over it.
Result<Configuration> load_configuration(const std::string& path, const std::vector<std::string>& environment);
// The same of a text; `source` is its name in errors.
Result<Configuration> parse_configuration(std::string_view text, std::string source,
                                          const std::vector<std::string>& environment = {});

// This file, and those that it names to be read with it: a change of one is a change of the configuration. Also where
// they have mistakes; the file alone if it is no YAML.
std::vector<std::string> files_of_configuration(const std::string& path, const std::vector<std::string>& environment);

}  // namespace duplex
