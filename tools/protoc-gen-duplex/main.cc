// protoc-gen-duplex: writes NAME.duplex.h and NAME.duplex.cc for each .proto with services.
//
//   protoc --plugin=protoc-gen-duplex --duplex_out=DIR --cpp_out=DIR shop/v1/orders.proto
#include <google/protobuf/compiler/plugin.h>

#include "generator.h"

int main(int argc, char** argv) {
  duplex::generator::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
