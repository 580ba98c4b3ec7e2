// A Status as the bytes of google.rpc.Status: what gRPC's trailer grpc-status-details-bin holds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/status.h"

namespace duplex::contract {

// Empty for an OK status.
std::string encode_rpc_status(const Status& status);

// nullopt: the bytes are no google.rpc.Status. A code outside 0..16 is UNKNOWN; code 0 gives the OK status whatever
// else the bytes hold.
std::optional<Status> decode_rpc_status(std::string_view bytes);

}  // namespace duplex::contract
