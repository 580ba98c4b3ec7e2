// Outbound: the chain of a client, one list.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/peer_memory.h"
#include "duplex/app/client.h"
#include "duplex/resilience/policy.h"

namespace duplex::app {

// What a user added to a client in C++.
struct OutboundParts {
  std::vector<Filter> filters;
  std::map<std::string, std::shared_ptr<Service>> fallbacks;  // by method, "shop.v1.Prices/Get"
  std::function<std::shared_ptr<Service>(const std::string& name)> peers;
};

// Everything between a stub and the peer, in the order of design.md's outbound chain. `memory` takes over what the
// settings say of it.
std::shared_ptr<Service> outbound_chain(std::shared_ptr<Service> peer, const Client::Settings& settings,
                                        const OutboundParts& parts, PeerMemory& memory);

}  // namespace duplex::app
