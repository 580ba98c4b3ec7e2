// A configuration file, and after a NUL each a variable of the environment: a snapshot, or mistakes that say where.
#include <string>
#include <vector>

#include "duplex/app/configuration.h"
#include "fuzz.h"

using duplex::fuzz::demand;
using duplex::fuzz::split;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto pieces = split(duplex::fuzz::text_of(data, size), '\0');
  const std::vector<std::string> environment(pieces.begin() + 1, pieces.end());
  const auto snapshot = duplex::parse_configuration(pieces[0], "settings.yaml", environment);
  if (snapshot) {
    demand(!snapshot->service.name.empty(), "a service has a name");
    demand(snapshot->server.grace >= duplex::Duration::zero(), "a setting is within its limits");
    for (const auto& [name, peer] : snapshot->peers) demand(!peer.address.empty(), "a peer has an address");
    return 0;
  }
  demand(snapshot.error().code() == duplex::Code::kInvalidArgument, "a mistake is the file's");
  demand(snapshot.error().message().find("settings.yaml:") != std::string::npos ||
             snapshot.error().message().find("environment variable ") != std::string::npos,
         "a mistake has its place");
  return 0;
}
