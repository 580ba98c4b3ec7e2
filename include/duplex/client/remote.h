// Remote: a service that is somewhere else, as one loop sees it: its addresses by name, one endpoint after the other,
// and the transparent retry of calls that the peer surely never saw.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "duplex/client/resolver.h"
#include "duplex/runtime/scope.h"
#include "duplex/runtime/socket.h"
#include "duplex/service/service.h"

namespace duplex::client {

// One address of a peer: its Service, and whether it is known to be down at the moment.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual Service& service() = 0;
  virtual bool failing() const = 0;
  virtual void close(const Status& why) = 0;
  virtual bool idle() const = 0;  // closed, and nothing of it runs any more: it may be destroyed
};

class Remote final : public Service {
 public:
  using MakeEndpoint = std::function<std::unique_ptr<Endpoint>(const Address&)>;
  // `address`: "host:port", "unix:/path", or several with commas between. A name is resolved when it is first needed,
  // again when its answer's TTL has ended, and again when all its addresses failed.
  // `resolver` may be null if no address is a name.
  Remote(std::string name, std::string address, Resolver* resolver, MakeEndpoint make_endpoint);

  Task<Outcome> call(Context& ctx, Call& call) override;

  // Calls under way.
  size_t in_flight() const { return in_flight_; }
  void close(const Status& why);

 private:
  struct Target {
    Address address;
    std::string key;
    std::unique_ptr<Endpoint> endpoint;
    bool wanted = true;
    size_t calls = 0;  // on it now
  };
  Task<Status> find_targets(Context& ctx);
  Task<Status> resolve(Context& ctx, const Address& named, std::vector<Address>& into);
  void set_targets(const std::vector<Address>& addresses);
  Target* pick();
  void drop_unwanted();

  const std::string name_, address_;
  Resolver* const resolver_;
  const MakeEndpoint make_endpoint_;
  std::vector<std::unique_ptr<Target>> targets_;
  std::vector<std::unique_ptr<Target>> retired_;  // closed; each goes when it is idle
  std::vector<std::string> names_;                // that were resolved for targets_
  Time valid_until_{};
  size_t turn_ = 0, in_flight_ = 0;
};

}  // namespace duplex::client
