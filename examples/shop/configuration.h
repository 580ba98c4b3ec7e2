// What a service starts with: the file that --config names, the environment over it, and flags over both.
#pragma once

#include "duplex/app/configuration.h"
#include "duplex/base/status.h"
#include "flags.h"

namespace shop {

// Flags that were not given count only where there is no file. Errors: what is wrong in the file, and where.
duplex::Result<duplex::Configuration> configuration(const Flags& flags, const std::string& service);

}  // namespace shop
