#include "app/tls.h"

#include "duplex/client/origin.h"
#include "duplex/runtime/file_watch.h"

namespace duplex::app {
namespace {

// The one host of all endpoints, which their certificate must name. Empty: there are several, or none is known.
std::string host_of(const std::string& address) {
  Result<client::Origins> origins = client::parse_origins(address);
  if (!origins) return "";
  std::string host;
  for (const client::Origin& origin : origins->list) {
    const bool named = origin.kind == client::Origin::Kind::kName || origin.kind == client::Origin::Kind::kEndpoint;
    if (!named || origin.address.kind() == Address::Kind::kUnix) return "";
    if (!host.empty() && host != origin.address.host()) return "";
    host = origin.address.host();
  }
  return host;
}

}  // namespace

Status prepare_tls(Client::Settings& settings, const Client::Settings* before) {
  settings.pool.tls = nullptr;
  if (!settings.tls) return {};
  settings.pool.tls_name = host_of(settings.address);
  if (settings.pool.tls_name.empty() && settings.tls->server_name.empty())
    return Status::invalid_argument(settings.name + ".tls.server_name: which name must its certificate have? \"" +
                                    settings.address + "\" does not say one");
  if (before && before->pool.tls && before->tls == settings.tls) {
    settings.pool.tls = before->pool.tls;
    return {};
  }
  Result<std::shared_ptr<TlsClient>> made = TlsClient::make(*settings.tls);
  if (!made) return Status(made.error().code(), settings.name + ".tls: " + made.error().message());
  settings.pool.tls = std::move(*made);
  return {};
}

Task<void> watch_tls(Context& ctx, std::shared_ptr<TlsServer> tls, std::function<void(const Status&)> told) {
  FileMarks marks(tls->files());
  Status s;
  while (s.is_ok()) {
    s = co_await sleep(ctx, std::chrono::seconds(1));
    if (s.is_ok() && marks.changed()) told(tls->reload());
  }
}

}  // namespace duplex::app
