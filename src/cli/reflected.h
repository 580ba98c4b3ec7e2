// A service's contract, as its own reflection tells it (grpc.reflection, v1 or else v1alpha).
#pragma once

#include <string>

#include "duplex/service/service.h"

namespace duplex::cli {

// A FileDescriptorSet with all files of all its services. UNIMPLEMENTED: it has no reflection.
Task<Result<std::string>> reflected_contract(Context& ctx, Service& peer);

}  // namespace duplex::cli
