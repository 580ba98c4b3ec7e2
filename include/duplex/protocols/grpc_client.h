// The client half of gRPC: a Call becomes an HTTP exchange over an endpoint's pool, and its trailers the Outcome.
#pragma once

#include <string>

#include "duplex/http/pool.h"
#include "duplex/service/service.h"

namespace duplex::grpc {

struct ClientSettings {
  std::string name;              // of the peer, for errors
  size_t max_message = 4 << 20;  // octets of one reply message: RESOURCE_EXHAUSTED past it
  std::string authority{};       // ":authority"; empty: the endpoint's address
  bool gzip = false;             // requests are packed; replies may be, whatever this says
};

class Client final : public Service {
 public:
  // `pool` outlives the client.
  Client(http::Pool& pool, ClientSettings settings);
  Task<Outcome> call(Context& ctx, Call& call) override;

 private:
  http::Head head(const Context& ctx, const Call& call) const;
  Task<Outcome> respond(Context& ctx, http::Exchange& x, Sink& out) const;
  Outcome broken(http::Exchange& x) const;
  http::Pool& pool_;
  const ClientSettings settings_;
};

}  // namespace duplex::grpc
