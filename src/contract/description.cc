#include "duplex/contract/description.h"

namespace duplex::contract {

ServiceDescription::ServiceDescription(std::string_view name, std::initializer_list<Shape> methods,
                                       const Result<std::shared_ptr<const Contract>>& contract)
    : name_(name), status_(contract.error()) {
  if (contract) {
    contract_ = *contract;
    service_ = contract_->find_service(name);
    if (!service_) status_ = Status::internal("the contract that was generated for " + name_ + " does not hold it");
  }
  int index = 0;
  for (const Shape& shape : methods) {
    const Method* meaning = service_ ? service_->find_method(shape.name) : nullptr;
    methods_.emplace_back("/" + name_ + "/" + std::string(shape.name), shape.caller_streams, shape.service_streams,
                          shape.idempotency, meaning, index++);
  }
}

}  // namespace duplex::contract
