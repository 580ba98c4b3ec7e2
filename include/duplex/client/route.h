// Route: what a call brings along for the choice of its endpoint, and what its attempts tell one another.
//
// Whoever makes several attempts of a call, or stands around one who does (a retry, a hedge), puts a Route into the
// call's Context; Remote finds it there. Without one a call does not wait for a peer, and each attempt stands alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace duplex::client {

class Route {
 public:
  explicit Route(bool wait = false) : wait_for_ready(wait) {}

  // While no endpoint of the peer can be reached the call waits, until one can or the call's deadline ends, as
  // gRPC's wait-for-ready has it. Calls that an endpoint has taken and failed are not affected.
  bool wait_for_ready;

  // Endpoints that an attempt was made at: the next prefers another. The last eight are known.
  bool used(const void* endpoint) const { return std::find(used_.begin(), used_.end(), endpoint) != used_.end(); }
  void use(const void* endpoint) { used_[count_++ % used_.size()] = endpoint; }
  bool fresh() const { return count_ == 0; }

 private:
  std::array<const void*, 8> used_{};
  size_t count_ = 0;
};

}  // namespace duplex::client
