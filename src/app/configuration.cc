#include "duplex/app/configuration.h"

#include "duplex/client/origin.h"

namespace duplex {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

using config::address, config::boolean, config::duration, config::integer, config::nonempty_text, config::one_of,
    config::size, config::Table;

constexpr uint64_t kKiB = 1 << 10, kGiB = 1 << 30;

Table<ServiceSettings> service_table() {
  return Table<ServiceSettings>().field("name", &ServiceSettings::name, nonempty_text(),
                                        "What logs and traces call this service (`service.name`).");
}

config::Kind<TlsVersion> tls_version() {
  return one_of<TlsVersion>({{"1.2", TlsVersion::k12}, {"1.3", TlsVersion::k13}});
}

Table<TlsCertificate> certificate_table() {
  return Table<TlsCertificate>()
      .field("certificate", &TlsCertificate::certificate, config::text(),
             "A file in PEM: the certificate, and behind it those that lead to its root.")
      .field("key", &TlsCertificate::key, config::text(), "A file in PEM: its private key.");
}

Table<TlsServerSettings> tls_server_table() {
  return Table<TlsServerSettings>()
      .sections("certificates", &TlsServerSettings::certificates, certificate_table(),
                "By the name that a client asks for (SNI) the first that fits it, else the first. Watched: a change is "
                "taken for new connections.")
      .field("client_ca", &TlsServerSettings::client_ca, config::text(),
             "A file in PEM: who may have signed the certificates of clients.")
      .field("client_certificates", &TlsServerSettings::client_certificates,
             one_of<ClientCertificates>({{"none", ClientCertificates::kNone},
                                         {"requested", ClientCertificates::kRequested},
                                         {"required", ClientCertificates::kRequired}}),
             "Whether clients are asked who they are; `requested` lets in those that show none.")
      .field("least", &TlsServerSettings::least, tls_version(), "The least version of TLS that is spoken.");
}

Table<TlsClientSettings> tls_client_table() {
  return Table<TlsClientSettings>()
      .field("ca", &TlsClientSettings::ca, config::text(),
             "A file in PEM: the roots that are trusted; none: those of the system.")
      .section("certificate", &TlsClientSettings::certificate, certificate_table(),
               "What this service shows where the peer asks who it is.")
      .field("server_name", &TlsClientSettings::server_name, config::text(),
             "What the peer's certificate must say; none: the host of its address.")
      .field("least", &TlsClientSettings::least, tls_version(), "The least version of TLS that is spoken.");
}

Table<ServerSettings> server_table() {
  return Table<ServerSettings>()
      .list("listen", &ServerSettings::listen, address(),
            "Where calls are taken: `0.0.0.0:8080`, `[::]:8080`, `unix:/path`.")
      .field("max_message", &ServerSettings::max_message, size(kKiB, 2 * kGiB - 1),
             "The longest message that is taken; a longer one ends its call with RESOURCE_EXHAUSTED.")
      .field("grace", &ServerSettings::grace, duration(Duration::zero(), hours(1)),
             "How long a stop waits for the calls in flight before it cancels them.")
      .field("max_connections", &ServerSettings::max_connections, integer(1, 10'000'000, "connections"),
             "Connections open at the same time; a further one is closed at once, so that its caller goes elsewhere.")
      .field("max_streams", &ServerSettings::max_streams, integer(1, 1'000'000, "calls a connection"),
             "Calls at the same time on one HTTP/2 connection; the peer is told and must wait.")
      .field("loops", &ServerSettings::loops, integer(0, 1024, "threads"), "Event loops; 0: one a core.")
      .field(
          "coalesce", &ServerSettings::coalesce, duration(Duration::zero(), milliseconds(1)),
          "The longest pause between two turns of a loop under load, so that calls share reads and writes; taken only "
          "while it is seen to cost no throughput. 0s: never.")
      .field("reflection", &ServerSettings::reflection, boolean(),
             "Serves grpc.reflection, which shows the contract to whoever may call: for tools such as grpcurl.")
      .optional("tls", &ServerSettings::tls, tls_server_table(), "TLS on all that `listen` names; none: in the clear.")
      .optional("limit", &ServerSettings::limit, resilience::server_limit_table(),
                "How many calls are taken on at the same time; further ones are RESOURCE_EXHAUSTED (429) at once.")
      .sections("rate_limit", &ServerSettings::rate_limit, resilience::rate_limit_table(),
                "How often callers may call; past it RESOURCE_EXHAUSTED (429) and when to come again.");
}

Table<PeerSettings> peer_table() {
  return Table<PeerSettings>()
      .required_as(
          "address", &PeerSettings::address, "address", client::read_origins,
          "Where the peer takes calls: `host:port`, `unix:/path`, `dns+srv:_grpc._tcp.name`, `file:list.yaml` "
          "(watched), or several, each with `;weight=3` if it is to take more; or a split of the calls: a list "
          "of `{address: ..., weight: 90}`.")
      .field("protocol", &PeerSettings::protocol,
             one_of<PeerProtocol>({{"grpc", PeerProtocol::kGrpc}, {"rest", PeerProtocol::kRest}}),
             "What the peer speaks; `rest` needs the contract's `google.api.http` rules.")
      .field("http_version", &PeerSettings::http_version,
             one_of<HttpVersion>(
                 {{"auto", HttpVersion::kOfProtocol}, {"1.1", HttpVersion::kHttp11}, {"2", HttpVersion::kHttp2}}),
             "The version of HTTP that the peer takes; `auto`: 2 for grpc, which has no other, and 1.1 for rest.")
      .optional("tls", &PeerSettings::tls, tls_client_table(), "TLS to the peer; none: in the clear.")
      .field("gzip", &PeerSettings::gzip, boolean(),
             "Requests of gRPC are sent packed; replies may come so, whatever this says.")
      .field("connect_timeout", &PeerSettings::connect_timeout, duration(milliseconds(1), hours(1)),
             "How long a new connection may take before it counts as failed (UNAVAILABLE).")
      .field("max_message", &PeerSettings::max_message, size(kKiB, 2 * kGiB - 1),
             "The longest message that is taken from the peer; a longer one ends the call with RESOURCE_EXHAUSTED.")
      .include(resilience::policy_table())
      .optional("limit", &PeerSettings::limit, resilience::limit_table(),
                "How many calls may be under way to the peer.")
      .section("balance", &PeerSettings::balance, client::balance_table(),
               "Which of the peer's endpoints takes the next call.")
      .overrides("methods", &PeerSettings::methods, resilience::policy_table(),
                 "What differs for a method of the peer.")
      .field("service_config", &PeerSettings::service_config, resilience::service_config(),
             "A gRPC service config: the path of its JSON file (from where the process runs; watched), or the JSON "
             "itself. Its timeouts, waitForReady, retries and hedges hold for the methods that it names, and its "
             "retryThrottling is their budget; without one the budget of `retry` is.");
}

Table<LogSettings> log_table() {
  return Table<LogSettings>()
      .field("level", &LogSettings::level,
             one_of<LogLevel>({{"debug", LogLevel::kDebug},
                               {"info", LogLevel::kInfo},
                               {"warn", LogLevel::kWarn},
                               {"error", LogLevel::kError}}),
             "Lines below it are not written; may change in a reload.")
      .field("file", &LogSettings::file, nonempty_text(), "`stdout`, `stderr`, or a file, to which lines are appended.")
      .field("access", &LogSettings::access, boolean(), "A line for every call.");
}

Result<Configuration> read(config::Value root, const std::vector<std::string>& environment) {
  config::apply_environment(root, environment);
  Result<Configuration> conf = configuration_table().read(root);
  if (conf) conf->written = std::make_shared<const config::Value>(std::move(root));
  return conf;
}

}  // namespace

Table<Configuration> configuration_table() {
  return Table<Configuration>()
      .section("service", &Configuration::service, service_table(), "Who this is.")
      .section("server", &Configuration::server, server_table(), "How calls are taken.")
      .named("peers", &Configuration::peers, peer_table(),
             "The services that this one calls, by the names its code uses.")
      .section("log", &Configuration::log, log_table(), "What is written about it all.");
}

Result<Configuration> load_configuration(const std::string& path, const std::vector<std::string>& environment) {
  if (path.empty()) return read(config::Value(), environment);
  Result<config::Value> root = config::parse_yaml_file(path);
  if (!root) return root.error();
  return read(std::move(*root), environment);
}

Result<Configuration> parse_configuration(std::string_view text, std::string source,
                                          const std::vector<std::string>& environment) {
  Result<config::Value> root = config::parse_yaml(text, std::move(source));
  if (!root) return root.error();
  return read(std::move(*root), environment);
}

std::vector<std::string> files_of_configuration(const std::string& path, const std::vector<std::string>& environment) {
  std::vector<std::string> files{path};
  Result<config::Value> root = config::parse_yaml_file(path);
  if (!root) return files;
  config::apply_environment(*root, environment);
  const config::Value* peers = config::find(*root, {"peers"});
  if (!peers) return files;
  for (const config::Member& peer : peers->members) {
    const config::Value* said = config::find(peer.value, {"service_config"});
    if (!said || said->kind != config::Value::Kind::kText) continue;
    if (std::string file = resilience::file_of_service_config(said->text); !file.empty()) files.push_back(file);
  }
  return files;
}

}  // namespace duplex
