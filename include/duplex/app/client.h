// Client: a peer, as a Service. A typed client of generated code stands on it:
//
//   auto payments = std::make_shared<duplex::Client>(
//       duplex::Client::Settings{.name = "payments", .address = "payments.internal:8080"});
//   PaymentsClient client(payments);
//   Result<Charge> charge = co_await client.charge(ctx, request);
//
// Usable from any loop, at the same time: each loop has its own connections. The peer need not be up: a call to one
// that is down is UNAVAILABLE and names the peer, its address and what failed; the next call tries again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "duplex/client/balance.h"
#include "duplex/http/pool.h"
#include "duplex/service/service.h"

namespace duplex {

// What a peer speaks. Typed clients work over either; REST has no form for a stream of requests, and needs the
// contract's google.api.http rules. Plain requests (plain::fetch) go to a peer of either kind.
enum class Protocol : uint8_t { kGrpc, kRest };

class Client final : public Service {
 public:
  struct Settings {
    std::string name = "peer";  // in errors, logs and metrics
    // "host:port", "unix:/path", "dns+srv:NAME", "file:PATH", or several with commas between, with weights: as
    // client/origin.h says. Names are resolved.
    std::string address{};
    Protocol protocol = Protocol::kGrpc;
    // None: HTTP/2 for gRPC, which knows no other, and HTTP/1.1 for REST. HTTP/2 is by prior knowledge.
    std::optional<http::Version> http_version{};
    // Of a call that brings no sooner deadline. Streams have none by default: they may be meant to last.
    Duration timeout = std::chrono::seconds(15);
    size_t max_message = 4 << 20;  // octets of one reply message: RESOURCE_EXHAUSTED past it
    std::string authority{};       // "host"; empty: the address
    client::BalanceSettings balance{};
    http::PoolSettings pool{};  // connect timeout, backoff, limits; its version comes from http_version
  };
  explicit Client(Settings settings);
  ~Client() override;

  // A filter around every call, in the order of use(). Before the first call.
  Client& use(Filter filter);

  Task<Outcome> call(Context& ctx, Call& call) override;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace duplex
