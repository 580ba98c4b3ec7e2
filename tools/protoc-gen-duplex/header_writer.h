// NAME.duplex.h: the classes that a user derives from and calls through.
#pragma once

namespace google::protobuf {
class FileDescriptor;
namespace io {
class Printer;
}
}  // namespace google::protobuf

namespace duplex::generator {

void write_header(const google::protobuf::FileDescriptor& file, google::protobuf::io::Printer& out);

}  // namespace duplex::generator
