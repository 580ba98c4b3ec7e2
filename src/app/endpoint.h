// Endpoint: one address of a peer: a pool, and over it the client half of the protocol that the peer speaks, beside the
// one for plain requests.
#pragma once

#include <memory>

#include "duplex/app/client.h"
#include "duplex/client/remote.h"

namespace duplex::app {

// Connecting runs in `scope`, which outlives the endpoint.
std::unique_ptr<client::Endpoint> make_endpoint(Scope& scope, const Client::Settings& settings, const Address& address);

// FAILED_PRECONDITION: the protocol does not go over that version of HTTP, or has no such health check.
Status check_version(const Client::Settings& settings);

}  // namespace duplex::app
