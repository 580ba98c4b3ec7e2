// The peers that the calls of a server went to, for its page /debug/peers.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "duplex/client/remote.h"
#include "duplex/resilience/breaker.h"
#include "duplex/resilience/limit.h"

namespace duplex::app {

// What is known of a peer at one moment.
struct PeerReport {
  std::string name, address;
  std::vector<resilience::Breakers::OfMethod> breakers;
  double retries_left = 0;
  std::optional<resilience::Bulkhead::Snapshot> limit;
  std::vector<client::EndpointState> endpoints;  // summed over the loops
};

// JSON, a line an endpoint and a breaker, for people and programs.
std::string peers_page(const std::vector<PeerReport>& peers, Time now);

class PeerDirectory {
 public:
  class Peer {
   public:
    virtual ~Peer() = default;
    // Asks each loop that the peer is used from.
    virtual Task<PeerReport> report(Context& ctx) = 0;
  };
  // From any thread; one that is known is not added again, one that has ended is forgotten.
  void add(const std::shared_ptr<Peer>& peer);
  Task<std::vector<PeerReport>> report(Context& ctx);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Peer>> peers_;
};

}  // namespace duplex::app
