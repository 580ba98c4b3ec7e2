// duplex check: is a duplex.yaml right, as a start or a reload would judge it?
#pragma once

#include <string>
#include <vector>

#include "duplex/base/status.h"

namespace duplex::cli {

// INVALID_ARGUMENT: a line a mistake, "duplex.yaml:3:5: server.lisen: ...", and how to mend it. `environment`: what
// stands over the file.
Status check_file(const std::string& file, const std::vector<std::string>& environment);

}  // namespace duplex::cli
