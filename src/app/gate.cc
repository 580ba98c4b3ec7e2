#include "app/gate.h"

namespace duplex::app {

Gate::Gate(std::shared_ptr<Service> next, const AdmissionRules& rules, const AdmissionMemory& memory)
    : next_(std::move(next)), current_(next_.get()) {
  set(rules, memory);
}

void Gate::set(const AdmissionRules& rules, const AdmissionMemory& memory) {
  std::shared_ptr<Service> chain = next_;
  // Who asks too often is told so before the handler, but after it is known who it is.
  if (!rules.rate_limit.empty()) chain = resilience::rate_limit(rules.rate_limit, memory.rates)(std::move(chain));
  // Outermost: what a server cannot take on must cost it nothing.
  if (rules.limit) chain = resilience::admit(*rules.limit, memory.admission)(std::move(chain));
  std::lock_guard lock(mutex_);
  current_.store(chain.get(), std::memory_order_release);
  if (chain != next_) chains_.push_back(std::move(chain));
}

}  // namespace duplex::app
