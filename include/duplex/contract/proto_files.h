// .proto files read as they are, without protoc: what a sidecar or a gateway is pointed at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/status.h"

namespace duplex::contract {

// The FileDescriptorSet of `files` and all they import, for Contract::load(). `files` are names as an import would
// write them; they are looked for in `import_dirs`, the first first; google/protobuf/*.proto need not be there. Error:
// INVALID_ARGUMENT with file, line, column and reason of each fault.
Result<std::string> read_proto_files(const std::vector<std::string>& files,
                                     const std::vector<std::string>& import_dirs);

}  // namespace duplex::contract
