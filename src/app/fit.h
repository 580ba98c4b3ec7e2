// Fit: mistakes in a client's settings that only what is called can show: a reply that is none of the method's.
//
// Each error names the setting and, where it was written in a file, its line: "duplex.yaml:7:15:
// peers.prices.methods.shop.v1.Prices/Get.fallback.reply: ...".
#pragma once

#include <vector>

#include "duplex/app/client.h"
#include "duplex/contract/contract.h"

namespace duplex::app {

// With all services that the client is known to be called by. INVALID_ARGUMENT.
Status check_fit(const Client::Settings& settings, const std::vector<const contract::Service*>& services);

}  // namespace duplex::app
