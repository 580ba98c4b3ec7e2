// The raw DNS answer to a question for SRV records, read by us: c-ares 1.18 drops its TTLs.
#pragma once

#include <string_view>
#include <vector>

#include "duplex/client/resolver.h"

namespace duplex::client {

struct SrvReply {
  std::vector<Services::Service> list;
  int ttl = 0;  // the smallest of the answer's records, in seconds, as it stands there
};

// UNAVAILABLE: no record, or the one that says that there is no such service (RFC 2782: the target "."), or no DNS.
Result<SrvReply> read_srv_reply(std::string_view reply);

}  // namespace duplex::client
