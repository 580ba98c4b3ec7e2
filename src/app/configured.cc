#include "duplex/app/configured.h"

#include "app/endpoint.h"
#include "app/fit.h"
#include "duplex/config/find.h"

namespace duplex {
namespace {

std::string place_before(const Configuration& conf, const config::Path& path) {
  return conf.written ? config::place_before(*conf.written, path) : std::string();
}

}  // namespace

Server::Settings server_settings(const Configuration& conf) {
  Server::Settings s;
  s.loops = static_cast<size_t>(conf.server.loops);
  s.max_message = conf.server.max_message;
  s.max_streams = static_cast<size_t>(conf.server.max_streams);
  s.max_connections = static_cast<size_t>(conf.server.max_connections);
  s.grace = conf.server.grace;
  s.coalesce = conf.server.coalesce;
  s.reflection = conf.server.reflection;
  s.tls = conf.server.tls;
  s.limit = conf.server.limit;
  s.rate_limit = conf.server.rate_limit;
  s.service_name = conf.service.name;
  s.log_file = conf.log.file;
  s.log_level = conf.log.level;
  s.access_log = conf.log.access;
  return s;
}

Result<Client::Settings> peer_settings(const Configuration& conf, std::string_view name) {
  auto peer = conf.peers.find(std::string(name));
  if (peer == conf.peers.end()) {
    std::string known;
    for (const auto& [other, settings] : conf.peers) known += (known.empty() ? "" : ", ") + other;
    return Status::not_found("no peer '" + std::string(name) + "' is configured; " +
                             (known.empty() ? "there are none" : "there is " + known));
  }
  Client::Settings s;
  s.name = name;
  s.address = peer->second.address;
  s.protocol = peer->second.protocol == PeerProtocol::kRest ? Protocol::kRest : Protocol::kGrpc;
  if (peer->second.http_version != HttpVersion::kOfProtocol)
    s.http_version = peer->second.http_version == HttpVersion::kHttp2 ? http::Version::kHttp2 : http::Version::kHttp11;
  s.tls = peer->second.tls;
  s.gzip = peer->second.gzip;
  s.limit = peer->second.limit;
  s.policy = peer->second;
  s.methods = peer->second.methods;
  s.service_config = peer->second.service_config.read;
  s.max_message = peer->second.max_message;
  s.balance = peer->second.balance;
  s.pool.connect_timeout = peer->second.connect_timeout;
  const config::Path path{"peers", s.name};
  if (conf.written)
    if (const config::Value* section = config::find(*conf.written, path))
      s.written = std::shared_ptr<const config::Value>(conf.written, section);
  if (Status mistake = app::check_verbs(s); !mistake.is_ok()) return mistake;
  if (Status mistake = Client::check(s); !mistake.is_ok())
    return Status::invalid_argument(place_before(conf, path) + "peers." + mistake.message());
  return s;
}

Status check(const Configuration& conf) {
  for (const auto& [name, peer] : conf.peers) {
    if (Result<Client::Settings> s = peer_settings(conf, name); !s) return s.error();
    auto known = [&](const resilience::Policy& policy) {
      return !policy.fallback || policy.fallback->peer.empty() || conf.peers.contains(policy.fallback->peer);
    };
    auto missing = [&](const config::Path& path, const std::string& where, const resilience::Policy& policy) {
      return Status::invalid_argument(place_before(conf, path) + "peers." + where +
                                      ".fallback.peer: there is no peer '" + policy.fallback->peer + "'");
    };
    if (!known(peer)) return missing({"peers", name, "fallback", "peer"}, name, peer);
    for (const auto& [method, policy] : peer.methods)
      if (!known(policy))
        return missing({"peers", name, "methods", method, "fallback", "peer"}, name + ".methods." + method, policy);
  }
  return {};
}

}  // namespace duplex
