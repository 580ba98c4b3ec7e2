// Which policy holds for which calls of a client: what the configuration says of a method, the gRPC service config laid
// over it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "duplex/app/client.h"

namespace duplex::app {

// FAILED_PRECONDITION: both have attempts of their own for a method.
Status check_service_config(const Client::Settings& settings);

// A chain for each policy that there is. `method`: "shop.v1.Prices/Get", "" for all that have none of their own;
// `said`: what the service config has for it, null if nothing.
using MakeChain = std::function<std::shared_ptr<Service>(const std::string& method, const resilience::Policy& policy,
                                                         const resilience::MethodConfig* said)>;
// Sends each call into its own chain. Methods in `others` get one besides those that the settings name.
std::shared_ptr<Service> by_method(const Client::Settings& settings, const std::vector<std::string>& others,
                                   const MakeChain& make);

}  // namespace duplex::app
