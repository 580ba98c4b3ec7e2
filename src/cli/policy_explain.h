// duplex policy explain: the rules in force for a peer or a method, where each comes from, and the longest a call
// takes.
#pragma once

#include <string>
#include <vector>

#include "duplex/base/status.h"
#include "duplex/config/value.h"

namespace duplex::cli {

struct PolicyQuestion {
  std::string file, peer, method;  // method empty: the peer's own rules
  std::vector<std::string> environment;
  // .proto files as an import would name them, and the folders they are looked for in: the peer's rules must fit them.
  std::vector<std::string> protos{}, imports{};
};

// A table and a small timeline, for a terminal. Errors: what is wrong in the file and where; NOT_FOUND: no such peer.
Result<std::string> explain_policy(const PolicyQuestion& question);

}  // namespace duplex::cli
