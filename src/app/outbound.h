// Outbound: the chain of a client, one list.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duplex/service/service.h"

namespace duplex::app {

struct OutboundSettings {
  std::string peer;
  Duration timeout{};
};

// Everything between a stub and the peer, in the order of design.md's outbound chain.
std::shared_ptr<Service> outbound_chain(std::shared_ptr<Service> peer, const std::vector<Filter>& users,
                                        const OutboundSettings& settings);

}  // namespace duplex::app
