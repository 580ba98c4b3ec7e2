#include "duplex/contract/bound.h"

namespace duplex::contract {

void bind(duplex::Service* service, const ServiceDescription& description) {
  if (auto* bound = dynamic_cast<Bound*>(service)) bound->bind(description);
}

}  // namespace duplex::contract
