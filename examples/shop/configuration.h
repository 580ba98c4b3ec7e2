// What a service starts with: the file that --config names, the environment over it, and flags over both.
#pragma once

#include <functional>

#include "duplex/app/application.h"
#include "flags.h"

namespace shop {

// Flags that were not given count only where there is no file. `more`: what else of the flags a service lays over it.
duplex::Result<std::unique_ptr<duplex::Application>> application(
    const Flags& flags, const std::string& service, std::function<void(duplex::Configuration&)> more = nullptr);

}  // namespace shop
