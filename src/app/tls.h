// From TLS's settings to what connections are made with, and the files behind it watched.
#pragma once

#include <functional>

#include "duplex/app/client.h"
#include "duplex/runtime/tls.h"

namespace duplex::app {

// Fills in what the pools of a peer need (settings.pool.tls, tls_name). `before`: settings of the same peer whose files
// are already read, or null. INVALID_ARGUMENT: a file, or an address of several hosts and no server_name.
Status prepare_tls(Client::Settings& settings, const Client::Settings* before);

// Reads the server's files again when one of them has changed, until ctx is cancelled; `told` hears how it went.
Task<void> watch_tls(Context& ctx, std::shared_ptr<TlsServer> tls, std::function<void(const Status&)> told);

}  // namespace duplex::app
