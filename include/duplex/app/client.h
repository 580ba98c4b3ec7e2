// Client: a peer, as a Service. A typed client of generated code stands on it:
//
//   auto payments = std::make_shared<duplex::Client>(
//       duplex::Client::Settings{.name = "payments", .address = "payments.internal:8080"});
//   PaymentsClient client(payments);
//   Result<Charge> charge = co_await client.charge(ctx, request);
//
// Usable from any loop, at the same time: each loop has its own connections. The peer need not be up: a call to one
// that is down is UNAVAILABLE and names the peer, its address and what failed; the next call tries again.
//
// Its policies have the names that they have in duplex.yaml:
//
//   duplex::Client::Settings settings{.name = "payments", .address = "payments.internal:8080"};
//   settings.policy.timeout = 2s;
//   settings.policy.retry.emplace().attempts = 3;
//   settings.methods["shop.v1.Payments/Charge"] = settings.policy;   // and what differs there
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "duplex/client/balance.h"
#include "duplex/config/value.h"
#include "duplex/contract/bound.h"
#include "duplex/http/pool.h"
#include "duplex/resilience/policy.h"
#include "duplex/resilience/service_config.h"
#include "duplex/runtime/tls.h"
#include "duplex/service/service.h"

namespace duplex {

// What a peer speaks. Typed clients work over either; REST has no form for a stream of requests, and needs the
// contract's google.api.http rules. Plain requests (plain::fetch) go to a peer of either kind.
enum class Protocol : uint8_t { kGrpc, kRest };

class Client final : public Service, public contract::Bound {
 public:
  struct Settings {
    std::string name = "peer";  // in errors, logs and metrics
    // "host:port", "unix:/path", "dns+srv:NAME", "file:PATH", or several with commas between, with weights: as
    // client/origin.h says. Names are resolved.
    std::string address{};
    Protocol protocol = Protocol::kGrpc;
    // None: HTTP/2 for gRPC, which knows no other, and HTTP/1.1 for REST. HTTP/2 is by prior
    // knowledge, over TLS by ALPN.
    std::optional<http::Version> http_version{};
    std::optional<TlsClientSettings> tls{};  // none: in the clear
    size_t max_message = 4 << 20;            // octets of one reply message: RESOURCE_EXHAUSTED past it
    bool gzip = false;                       // gRPC's requests are packed; its replies may be, whatever this says
    std::string authority{};                 // "host"; empty: the address
    http::PoolSettings pool{};               // connect timeout, backoff, limits; its version comes from http_version
    client::BalanceSettings balance{};       // which endpoint takes the next call
    std::optional<resilience::LimitSettings> limit{};  // calls under way to the peer
    resilience::Policy policy{};                       // of all methods but those in `methods`
    // By "package.Service/Method", and "http:POST" for plain requests of that verb.
    std::map<std::string, resilience::Policy> methods{};
    // Of gRPC's form: what it says of a method holds in place of `policy` and `methods`. Null: none.
    std::shared_ptr<const resilience::ServiceConfig> service_config{};
    // The peer's section of the file that these come from, for errors to name lines; null: none.
    std::shared_ptr<const config::Value> written{};
  };
  explicit Client(Settings settings);
  ~Client() override;

  // A filter around every call, in the order of use(). Before the first call.
  Client& use(Filter filter);
  // Answers for the peer, by the rules of the method's fallback (or its defaults), before its other fallbacks.
  // `method`: "package.Service/Method". Before the first call.
  Client& fallback(std::string method, std::shared_ptr<Service> handler);
  // Where other peers are found that a fallback names. Before the first call.
  Client& peers(std::function<std::shared_ptr<Service>(const std::string& name)> find);

  Task<Outcome> call(Context& ctx, Call& call) override;

  // A typed client tells its contract: from then on the settings must fit that, too (a fallback's reply, a hedge).
  void bind(const contract::ServiceDescription& description) override;
  // What is wrong with the settings, as far as is known: each call tells it. OK: nothing is.
  Status mistake() const;

  // FAILED_PRECONDITION: settings that exclude each other; INVALID_ARGUMENT: one of `balance` that cannot be.
  static Status check(const Settings& settings);
  // What reconfigure() would say of them: check(), and that they fit the contracts which this client is called by.
  Status accepts(const Settings& settings) const;
  // From now on these settings; from any thread. Calls under way end by those they began with. What policies remember
  // stays, and so do connections, unless the peer is elsewhere now or speaks otherwise; those end with their last call.
  // The name stays. What accepts() says of them; then the old ones stay.
  Status reconfigure(Settings settings);

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace duplex
