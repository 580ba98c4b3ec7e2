// The code generator as protoc sees it.
#pragma once

#include <google/protobuf/compiler/code_generator.h>

#include <string>

namespace duplex::generator {

class Generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  // Refuses a contract that a server would refuse: a bad path template, an unknown field in a path, two equal routes.
  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;
  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace duplex::generator
