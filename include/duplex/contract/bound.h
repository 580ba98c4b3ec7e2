// Bound: a Service that wants to know by which contracts it is called, before the first call.
//
// A generated client knows its contract when it is made; what stands between it and the peer has rules that only the
// contract can judge (a reply that a configuration wrote down, a method that must not be called twice). So a client
// tells the Service that it is given, once, and a mistake shows at the start instead of in the night it is needed.
#pragma once

#include "duplex/contract/description.h"

namespace duplex::contract {

class Bound {
 public:
  virtual ~Bound() = default;
  // From any thread; the same description may come again. It outlives whoever is told.
  virtual void bind(const ServiceDescription& description) = 0;
};

// Tells `service` if it is Bound. Null, or any other Service: nothing happens.
void bind(duplex::Service* service, const ServiceDescription& description);

}  // namespace duplex::contract
