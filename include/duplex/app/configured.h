// From a configuration to the settings of a server and of its peers.
//
//   Result<Configuration> conf = load_configuration("duplex.yaml", config::process_environment());
//   Server server(server_settings(*conf));
//   for (const std::string& address : conf->server.listen) server.listen(address);
//   Result<Client::Settings> payments = peer_settings(*conf, "payments");
#pragma once

#include <string_view>

#include "duplex/app/client.h"
#include "duplex/app/configuration.h"
#include "duplex/app/server.h"

namespace duplex {

Server::Settings server_settings(const Configuration& conf);
// NOT_FOUND: the configuration has no such peer, and which it has. INVALID_ARGUMENT, with file and line: its protocol
// does not go over its version of HTTP, or its policies exclude each other.
Result<Client::Settings> peer_settings(const Configuration& conf, std::string_view name);
// The first mistake that only the whole configuration shows: of any peer as peer_settings() tells it, or a fallback
// that names a peer which is not there. With file and line.
Status check(const Configuration& conf);

}  // namespace duplex
