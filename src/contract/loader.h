// Builds a Contract: files into the pool, then types, services, methods and their HTTP rules.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contract/http_option.h"
#include "duplex/contract/contract.h"

namespace google::protobuf {
class FileDescriptor;
class FileDescriptorSet;
}  // namespace google::protobuf

namespace duplex::contract {

class Loader {
 public:
  Loader();
  ~Loader();
  Result<std::shared_ptr<const Contract>> load(std::string_view file_descriptor_set);

 private:
  Status add_file(const std::string& name, const std::string& wanted_by, int depth);
  void add_types(const google::protobuf::FileDescriptor& file);
  void add_type(const google::protobuf::Descriptor& type);
  Status add_service(const google::protobuf::ServiceDescriptor& service);
  Status add_rules(Method& method);
  Result<HttpRule> make_rule(const Method& method, HttpOption option);

  std::shared_ptr<Contract> contract_;
  std::unique_ptr<google::protobuf::FileDescriptorSet> set_;
  std::unordered_map<std::string_view, const google::protobuf::FileDescriptorProto*> files_;
  std::unordered_map<std::string, bool> added_;  // false: on the way
};

}  // namespace duplex::contract
