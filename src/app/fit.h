// Fit: mistakes in a client's settings that only what is called can show: a reply that is none of the method's, a hedge
// of what must not be done twice.
//
// Each error names the setting and, where it was written in a file, its line: "duplex.yaml:7:15:
// peers.prices.methods.shop.v1.Prices/Get.fallback.reply: ...".
#pragma once

#include <vector>

#include "duplex/app/client.h"
#include "duplex/contract/contract.h"

namespace duplex::app {

// Of plain requests the verb says enough, so this is looked at when a configuration is read. INVALID_ARGUMENT.
Status check_verbs(const Client::Settings& settings);

// With all services that the client is known to be called by. INVALID_ARGUMENT.
Status check_fit(const Client::Settings& settings, const std::vector<const contract::Service*>& services);

}  // namespace duplex::app
