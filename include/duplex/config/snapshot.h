// Snapshot: the whole configuration of one start or reload, checked, and never changed afterwards.
//
//   Result<Snapshot> s = load("duplex.yaml", process_environment());
//   if (!s) return complain(s.error().message());   // a line a mistake: "duplex.yaml:3:5: server.lisen: ..."
//   for (const std::string& address : s->server.listen) ...
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "duplex/base/log.h"
#include "duplex/config/table.h"

namespace duplex::config {

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
};

enum class PeerProtocol : uint8_t { kGrpc, kRest };
enum class HttpVersion : uint8_t { kOfProtocol, kHttp11, kHttp2 };

struct PeerSettings {
  std::string address;
  PeerProtocol protocol = PeerProtocol::kGrpc;
  HttpVersion http_version = HttpVersion::kOfProtocol;
  Duration connect_timeout = std::chrono::seconds(3);
  Duration timeout = std::chrono::seconds(15);
  uint64_t max_message = 4 << 20;  // octets
};

struct LogSettings {
  LogLevel level = LogLevel::kInfo;
  std::string file = "stderr";  // "stdout", "stderr" or a path; for LogSink::open
  bool access = true;
};

struct Snapshot {
  ServiceSettings service;
  ServerSettings server;
  std::map<std::string, PeerSettings> peers;
  LogSettings log;
};

Table<Snapshot> snapshot_table();

// Reads the file (none, if path is empty: all defaults) and lays `environment` over it.
Result<Snapshot> load(const std::string& path, const std::vector<std::string>& environment);
// The same of a text; `source` is its name in errors.
Result<Snapshot> parse(std::string_view text, std::string source, const std::vector<std::string>& environment = {});

}  // namespace duplex::config
