#include "app/endpoint.h"

#include "duplex/protocols/grpc_client.h"
#include "duplex/protocols/http_client.h"
#include "duplex/protocols/rest_client.h"

namespace duplex::app {
namespace {

http::PoolSettings pool_settings(const Client::Settings& s) {
  http::PoolSettings pool = s.pool;
  pool.version =
      s.http_version.value_or(s.protocol == Protocol::kGrpc ? http::Version::kHttp2 : http::Version::kHttp11);
  return pool;
}

std::unique_ptr<Service> make_half(const Client::Settings& s, http::Pool& pool) {
  if (s.protocol == Protocol::kRest)
    return std::make_unique<rest::Client>(
        pool, rest::ClientSettings{.name = s.name, .max_message = s.max_message, .authority = s.authority});
  return std::make_unique<grpc::Client>(
      pool,
      grpc::ClientSettings{.name = s.name, .max_message = s.max_message, .authority = s.authority, .gzip = s.gzip});
}

class HttpEndpoint final : public client::Endpoint, private Service {
 public:
  HttpEndpoint(Scope& scope, const Client::Settings& s, const Address& address)
      : pool_(scope, s.name, address, pool_settings(s)),
        half_(make_half(s, pool_)),
        plain_(pool_, plain::ClientSettings{.name = s.name, .authority = s.authority}) {}
  Service& service() override { return *this; }
  bool failing() const override { return pool_.failing(); }
  Time failing_until() const override { return failing() ? pool_.failing_until() : Time(); }
  void close(const Status& why) override { pool_.close(why); }
  bool idle() const override { return pool_.idle(); }

 private:
  Task<Outcome> call(Context& ctx, Call& c) override {
    return plain::is_plain(*c.method) ? plain_.call(ctx, c) : half_->call(ctx, c);
  }
  http::Pool pool_;
  const std::unique_ptr<Service> half_;
  plain::Client plain_;
};

}  // namespace

std::unique_ptr<client::Endpoint> make_endpoint(Scope& scope, const Client::Settings& settings,
                                                const Address& address) {
  return std::make_unique<HttpEndpoint>(scope, settings, address);
}

Status check_version(const Client::Settings& s) {
  if (s.protocol == Protocol::kRest && s.balance.health && s.balance.health->check == "grpc")
    return Status::failed_precondition(s.name +
                                       ": grpc.health.v1 is not asked over REST; write health: {check: /readyz}");
  if (s.protocol != Protocol::kGrpc || s.http_version.value_or(http::Version::kHttp2) == http::Version::kHttp2)
    return {};
  return Status::failed_precondition(s.name +
                                     ": gRPC goes over HTTP/2 only; leave its http_version out, or let it speak rest");
}

}  // namespace duplex::app
