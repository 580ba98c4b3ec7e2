#include "configuration.h"

namespace shop {

duplex::Result<duplex::Configuration> configuration(const Flags& flags, const std::string& service) {
  namespace config = duplex::config;
  duplex::Result<duplex::Configuration> conf =
      duplex::load_configuration(flags["config"], config::process_environment());
  if (!conf) return conf;
  const bool by_flags = flags["config"].empty();
  if (conf->service.name == duplex::ServiceSettings().name) conf->service.name = service;
  if (by_flags) conf->server.grace = std::chrono::seconds(5);  // a stream that follows an order is cut off then
  if (by_flags || flags.given("listen")) conf->server.listen = {flags["listen"]};
  if (by_flags || flags.given("log")) conf->log.file = flags["log"];
  return conf;
}

}  // namespace shop
