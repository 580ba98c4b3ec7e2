// What generated code tells about a service: its methods, and the contract they come from.
#pragma once

#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "duplex/contract/contract.h"
#include "duplex/service/service.h"

namespace duplex::contract {

class ServiceDescription {
 public:
  struct Shape {
    std::string_view name;  // "GetOrder"
    bool caller_streams = false;
    bool service_streams = false;
    Idempotency idempotency = Idempotency::kUnknown;
  };

  // `name`: "shop.v1.Orders". `methods`: in the order of the .proto; the place of each is its duplex::Method::index.
  // `contract`: what Contract::load() said; a contract that could not be loaded leaves methods without one.
  ServiceDescription(std::string_view name, std::initializer_list<Shape> methods,
                     const Result<std::shared_ptr<const Contract>>& contract);

  const std::string& name() const { return name_; }
  const std::deque<duplex::Method>& methods() const { return methods_; }
  const duplex::Method& method(size_t index) const { return methods_[index]; }
  // Not OK: the contract could not be loaded, and why. A server refuses to start with it.
  const Status& status() const { return status_; }
  // Null if status() is not OK.
  const std::shared_ptr<const Contract>& contract() const { return contract_; }
  const Service* service() const { return service_; }

 private:
  std::string name_;
  std::deque<duplex::Method> methods_;  // a Method has one address
  Status status_;
  std::shared_ptr<const Contract> contract_;
  const Service* service_ = nullptr;
};

// The base of generated services: what a Server needs to know to serve one.
class DescribedService : public duplex::Service {
 public:
  virtual const ServiceDescription& described() const = 0;
};

}  // namespace duplex::contract
