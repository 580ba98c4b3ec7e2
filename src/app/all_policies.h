// For tests and benchmarks: a client's whole chain with every policy on, over three endpoints that are no sockets.
#pragma once

#include <functional>
#include <memory>

#include "app/outbound.h"
#include "duplex/client/remote.h"

namespace duplex::app {

class AllPolicies {
 public:
  // `service_of(i)`: what answers at endpoint i, 0 to 2.
  explicit AllPolicies(std::function<Service&(size_t)> service_of)
      : remote_(std::make_shared<client::Remote>(
            "peer", "127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3", nullptr,
            [service_of](const Address& a) {
              return std::make_unique<Endpoint>(service_of(static_cast<size_t>(a.port() - 1)));
            },
            settings().balance)),
        chain_(outbound_chain(remote_, settings(), OutboundParts(), memory_)) {}

  static Client::Settings settings() {
    Client::Settings s;
    s.name = "peer";
    s.limit.emplace();
    s.balance.eject.emplace();
    s.policy.timeout = std::chrono::seconds(2);
    s.policy.retry.emplace().per_try = std::chrono::milliseconds(500);
    s.policy.retry->budget.floor = 0;
    s.policy.breaker.emplace();
    s.policy.fallback.emplace().reply = "{}";
    return s;
  }
  Service& chain() { return *chain_; }
  PeerMemory& memory() { return memory_; }
  client::Remote& remote() { return *remote_; }

 private:
  class Endpoint final : public client::Endpoint {
   public:
    explicit Endpoint(Service& service) : service_(service) {}
    Service& service() override { return service_; }
    bool failing() const override { return false; }
    void close(const Status&) override {}
    bool idle() const override { return true; }

   private:
    Service& service_;
  };
  const std::shared_ptr<client::Remote> remote_;
  PeerMemory memory_;
  const std::shared_ptr<Service> chain_;
};

}  // namespace duplex::app
