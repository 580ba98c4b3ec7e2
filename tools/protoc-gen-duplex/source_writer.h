// NAME.duplex.cc: dispatch, the client's calls, and the contract as bytes.
#pragma once

#include <string>

namespace google::protobuf {
class FileDescriptor;
namespace io {
class Printer;
}
}  // namespace google::protobuf

namespace duplex::generator {

// `contract`: a serialized FileDescriptorSet.
void write_source(const google::protobuf::FileDescriptor& file, const std::string& contract,
                  google::protobuf::io::Printer& out);

}  // namespace duplex::generator
