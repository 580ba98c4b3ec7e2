// Origins: what the address of a peer says, which is where its endpoints come from.
//
//   "10.0.0.7:8080"                          one endpoint; also "[::1]:8080" and "unix:/run/payments.sock"
//   "payments.internal:8080"                 the addresses of a name, A and AAAA
//   "dns+srv:_grpc._tcp.payments.internal"   the hosts, ports, weights and priorities of its SRV records (RFC 2782)
//   "file:endpoints.yaml"                    a YAML list of such texts (no files in it), watched: a change is taken
//   over "10.0.0.7:8080;weight=3, 10.0.0.8:8080"  several of them
//   "(a.internal:80);weight=90, (b.internal:80, c.internal:80);weight=10"   a split of the calls
//
// A weight is that of an item as a whole: the endpoints that its name has share it. Without one each endpoint counts 1.
// Weights are capacities, and so a suggestion: a policy that looks at the load, as p2c does, gives an endpoint that is
// slow less than its share. A split in groups is kept exactly, whatever happens within a group: the group of a call is
// chosen first. While no endpoint of a group may be chosen, the others take its calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/status.h"
#include "duplex/config/value.h"
#include "duplex/runtime/socket.h"

namespace duplex::client {

struct Origin {
  enum class Kind : uint8_t { kEndpoint, kName, kSrv, kFile };
  Kind kind = Kind::kEndpoint;
  Address address;    // of kEndpoint and kName
  std::string text;   // of kSrv the name, of kFile the path
  double weight = 0;  // 0: none is written
  size_t group = 0;   // 0, 1, ... in the order of the groups
};

struct Origins {
  std::vector<Origin> list;    // at least one
  std::vector<double> groups;  // their weights; one of weight 1 where there is no split
};

// INVALID_ARGUMENT shows the piece that is wrong, and the mend.
Result<Origins> parse_origins(std::string_view text);

// What a configuration says as the `address` of a peer, as one text of that form: a text, a list of texts, or a list of
// sections {address, weight}, which is a split.
void read_origins(const config::Value& value, const std::string& path, std::string& into, config::Problems& problems);

// A file of endpoints. NOT_FOUND: there is none; INVALID_ARGUMENT names the line that is wrong.
Result<std::vector<Origin>> read_origins_file(const std::string& path);

}  // namespace duplex::client
