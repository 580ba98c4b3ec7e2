#include "duplex/contract/contract.h"

#include <google/protobuf/descriptor.h>

#include "contract/json_tables.h"
#include "contract/loader.h"

namespace duplex::contract {

Type::Type(const Contract& contract, const google::protobuf::Descriptor& descriptor, const MessageTable& table)
    : contract_(&contract),
      descriptor_(&descriptor),
      table_(&table),
      name_(descriptor.full_name()),
      url_("type.googleapis.com/" + descriptor.full_name()) {}

const Method* Service::find_method(std::string_view name) const {
  for (const auto& method : methods_) {
    if (method->name() == name) return method.get();
  }
  return nullptr;
}

Contract::Contract() = default;
Contract::~Contract() = default;

Result<std::shared_ptr<const Contract>> Contract::load(std::string_view file_descriptor_set) {
  Loader loader;
  return loader.load(file_descriptor_set);
}

const Service* Contract::find_service(std::string_view name) const {
  for (const auto& service : services_) {
    if (service->name() == name) return service.get();
  }
  return nullptr;
}

const Method* Contract::find_method(std::string_view path) const {
  auto at = methods_by_path_.find(path);
  return at == methods_by_path_.end() ? nullptr : at->second;
}

const Type* Contract::find_type(std::string_view name) const {
  auto at = types_by_name_.find(name);
  return at == types_by_name_.end() ? nullptr : at->second;
}

const Type& Contract::type_of(const google::protobuf::Descriptor& descriptor) const { return *types_.at(&descriptor); }

}  // namespace duplex::contract
