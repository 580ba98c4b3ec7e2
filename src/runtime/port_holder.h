// Who listens on a TCP port, where the system tells.
#pragma once

#include <cstdint>
#include <string>

namespace duplex {

// "shop_orders (pid 4242)", or empty if the system does not say.
std::string port_holder(uint16_t port);

}  // namespace duplex
