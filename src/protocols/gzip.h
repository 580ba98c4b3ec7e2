// gzip (RFC 1952), as gRPC and HTTP carry it.
#pragma once

#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"

namespace duplex {

Bytes gzip(std::string_view plain);
// RESOURCE_EXHAUSTED: it holds more than `limit` octets, of which no more are made. INTERNAL: it is no whole gzip.
Result<Bytes> gunzip(std::string_view packed, size_t limit);

}  // namespace duplex
