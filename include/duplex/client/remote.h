// Remote: a service that is somewhere else, as one loop sees it: its endpoints by what its address says, the choice of
// one for each call, and the transparent retry of calls that the peer surely never saw.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duplex/client/balance.h"
#include "duplex/client/endpoint.h"
#include "duplex/client/resolver.h"
#include "duplex/client/route.h"
#include "duplex/runtime/scope.h"
#include "duplex/runtime/socket.h"
#include "duplex/service/service.h"

namespace duplex::client {

class Discovery;
class Roster;
struct Finding;
struct Target;

// An endpoint as a page for people shows it.
struct EndpointState {
  std::string address;
  double weight = 1;
  size_t group = 0;        // of a split
  int priority = 0;        // of an SRV record
  bool draining = false;   // its name no longer has it: it goes when its calls have ended
  bool reachable = true;   // false: the last attempt to connect failed, and the next is not due
  bool healthy = true;     // by its health checks
  Duration ejected_for{};  // zero: it is not ejected
  size_t in_flight = 0;
  uint64_t calls = 0, failures = 0;  // that have ended, and those of them that count against it
  Duration latency{};                // peak EWMA of its unary calls; zero: not known
};

class Remote final : public Service {
 public:
  using MakeEndpoint = std::function<std::unique_ptr<Endpoint>(const Address&)>;
  // `address`: what origin.h says. A name is resolved when it is first needed, again when its answer's TTL has ended,
  // and again when all its addresses failed. `resolver` may be null if no address is a name.
  //
  // `background` runs health checks, and asks for names that have expired while calls go on with what is known; without
  // it there are no checks, and a call waits for the names. It is cancelled and joined before the Remote ends.
  Remote(std::string name, std::string_view address, Resolver* resolver, MakeEndpoint make_endpoint,
         BalanceSettings balance = {}, Scope* background = nullptr);
  ~Remote() override;

  // INVALID_ARGUMENT: the address or the balance settings are wrong. UNAVAILABLE: no endpoint can be found, reached, or
  // chosen. A Route in the Context is heeded.
  Task<Outcome> call(Context& ctx, Call& call) override;

  // Calls under way.
  size_t in_flight() const { return in_flight_; }
  // All endpoints, for people. On the loop's own thread, as all of this.
  std::vector<EndpointState> snapshot(Time now) const;
  void close(const Status& why);

 private:
  class OnTarget;
  // Names have expired, or all endpoints have failed.
  Task<Status> find_targets(Context& ctx, bool all_failed);
  Task<Status> find_now(Context& ctx);
  Task<void> find_beside(Context& ctx);
  void set_targets(Context& ctx, const Finding& finding);
  Target& target_of(const Address& address, size_t group);
  void watch_health(Target& target);
  void drop_unwanted();
  uint64_t key_of(const Call& call) const;
  bool all_failing() const;
  void ended(Context& ctx, Target& target, const Call& call, const Outcome& outcome, Time began);
  Task<Status> wait_reachable(Context& ctx, int round);
  void tell(Context& ctx);

  const std::string name_;
  const BalanceSettings settings_;
  const MakeEndpoint make_endpoint_;
  Scope* const background_;
  std::unique_ptr<Discovery> discovery_;
  std::unique_ptr<Roster> roster_;
  Status mistake_;    // in the settings; each call tells
  std::string hash_;  // the metadata whose value is a call's key; empty: none
  std::vector<std::unique_ptr<Target>> targets_;
  std::vector<std::unique_ptr<Target>> retired_;  // closed; each goes when nothing of it runs
  bool finding_beside_ = false, closed_ = false;
  std::string complaint_;  // the last that was told
  size_t in_flight_ = 0;
};

}  // namespace duplex::client
