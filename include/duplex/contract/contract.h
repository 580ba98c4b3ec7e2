// What a .proto means: its services, methods, types and HTTP rules, read from a FileDescriptorSet.
//
// A Contract has a descriptor pool of its own. Nothing is registered in protobuf's generated pool, so a program may
// link its own google/api and grpc classes, and two contracts may define one name differently. Immutable once loaded,
// so any thread may read it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "duplex/base/status.h"
#include "duplex/contract/http_rule.h"
#include "duplex/service/service.h"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
class FieldDescriptor;
class FileDescriptorProto;
class MethodDescriptor;
class ServiceDescriptor;
}  // namespace google::protobuf

namespace duplex::contract {

class Contract;
class JsonTables;
class Service;
struct MessageTable;

// A message type of a contract.
class Type {
 public:
  Type(const Contract& contract, const google::protobuf::Descriptor& descriptor, const MessageTable& table);

  const std::string& name() const { return name_; }  // "shop.v1.Order"
  const std::string& url() const { return url_; }    // "type.googleapis.com/shop.v1.Order"
  const Contract& contract() const { return *contract_; }
  // Of the contract's own pool: never equal to the descriptor() of a generated class.
  const google::protobuf::Descriptor& descriptor() const { return *descriptor_; }
  // What the JSON codec knows of it.
  const MessageTable& table() const { return *table_; }

 private:
  const Contract* contract_;
  const google::protobuf::Descriptor* descriptor_;
  const MessageTable* table_;
  std::string name_;
  std::string url_;
};

class Method {
 public:
  const std::string& path() const { return path_; }  // "/shop.v1.Orders/GetOrder", as gRPC has it
  const std::string& name() const { return name_; }  // "GetOrder"
  const std::string& service_name() const;           // "shop.v1.Orders"
  const Service& service() const { return *service_; }
  bool caller_streams() const { return caller_streams_; }
  bool service_streams() const { return service_streams_; }
  // The option `idempotency_level`.
  Idempotency idempotency() const { return idempotency_; }
  const Type& input() const { return *input_; }
  const Type& output() const { return *output_; }
  // The rule itself, then its additional_bindings. Empty: this method has no google.api.http option.
  const std::vector<HttpRule>& http_rules() const { return rules_; }
  const google::protobuf::MethodDescriptor& descriptor() const { return *descriptor_; }
  // What the core carries with each call; its `contract` points here. Lives as long as the Contract.
  const duplex::Method& plain() const { return *plain_; }

 private:
  friend class Loader;
  std::string path_;
  std::string name_;
  const Service* service_ = nullptr;
  bool caller_streams_ = false;
  bool service_streams_ = false;
  Idempotency idempotency_{};
  const Type* input_ = nullptr;
  const Type* output_ = nullptr;
  std::vector<HttpRule> rules_;
  const google::protobuf::MethodDescriptor* descriptor_ = nullptr;
  std::optional<duplex::Method> plain_;
};

class Service {
 public:
  const std::string& name() const { return name_; }  // "shop.v1.Orders"
  const Contract& contract() const { return *contract_; }
  // In the order of the .proto.
  const std::vector<std::unique_ptr<const Method>>& methods() const { return methods_; }
  const Method* find_method(std::string_view name) const;  // "GetOrder"; null: there is none
  const google::protobuf::ServiceDescriptor& descriptor() const { return *descriptor_; }

 private:
  friend class Loader;
  std::string name_;
  const Contract* contract_ = nullptr;
  std::vector<std::unique_ptr<const Method>> methods_;
  const google::protobuf::ServiceDescriptor* descriptor_ = nullptr;
};

inline const std::string& Method::service_name() const { return service_->name(); }

class Contract {
 public:
  // `file_descriptor_set`: the bytes of a google.protobuf.FileDescriptorSet with every import in it, in any order;
  // google/protobuf/*.proto may be left out. Costs about a millisecond, so load once and keep it.
  // Error: INVALID_ARGUMENT that names file, service and method, and the mend (a bad path template, a field that does
  // not exist, two methods with one route, an import that is missing).
  static Result<std::shared_ptr<const Contract>> load(std::string_view file_descriptor_set);

  Contract(const Contract&) = delete;
  Contract& operator=(const Contract&) = delete;
  ~Contract();

  const std::vector<std::unique_ptr<const Service>>& services() const { return services_; }
  const Service* find_service(std::string_view name) const;  // "shop.v1.Orders"; null: there is none
  const Method* find_method(std::string_view path) const;    // "/shop.v1.Orders/GetOrder"; null: there is none
  const Type* find_type(std::string_view name) const;        // "shop.v1.Order"; null: there is none
  const Type& type_of(const google::protobuf::Descriptor& descriptor) const;  // of this contract's pool only

  const google::protobuf::DescriptorPool& pool() const { return *pool_; }

 private:
  friend class Loader;
  Contract();
  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  std::unique_ptr<JsonTables> tables_;
  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<const Type>> types_;
  std::unordered_map<std::string_view, const Type*> types_by_name_;
  std::vector<std::unique_ptr<const Service>> services_;
  std::unordered_map<std::string_view, const Method*> methods_by_path_;
};

}  // namespace duplex::contract
