#include "configuration.h"

namespace shop {

duplex::Result<std::unique_ptr<duplex::Application>> application(const Flags& flags, const std::string& service,
                                                                 std::function<void(duplex::Configuration&)> more) {
  duplex::Application::Options options;
  options.adjust = [flags, service, more](duplex::Configuration& conf) {
    const bool by_flags = flags["config"].empty();
    if (conf.service.name == duplex::ServiceSettings().name) conf.service.name = service;
    if (by_flags) conf.server.grace = std::chrono::seconds(5);  // a stream that follows an order is cut off then
    if (by_flags || flags.given("listen")) conf.server.listen = {flags["listen"]};
    conf.server.reflection = true;  // so that `duplex call` needs no file; a contract that anyone may see
    if (by_flags || flags.given("log")) conf.log.file = flags["log"];
    if (more) more(conf);
  };
  return duplex::Application::load(flags["config"], options);
}

}  // namespace shop
