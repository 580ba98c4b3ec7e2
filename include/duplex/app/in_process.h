// A service called without a wire: for tests, and for two services that share a process.
//
//   OrdersClient orders(duplex::in_process(std::make_shared<Orders>()));
//
// The same core as over a socket: filters, ctx.call() and ctx.reply(), law 2 (a unary answer is told with its Outcome),
// an exception becomes INTERNAL. Caller and handler run on the caller's loop.
#pragma once

#include <memory>
#include <vector>

#include "duplex/service/service.h"

namespace duplex {

std::shared_ptr<Service> in_process(std::shared_ptr<Service> service, const std::vector<Filter>& filters = {});

}  // namespace duplex
