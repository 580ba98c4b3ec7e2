// The service `payments`.
#include <cstdio>

#include "configuration.h"
#include "duplex/app/configured.h"
#include "flags.h"
#include "payments.h"

int main(int argc, char** argv) {
  const shop::Flags flags(argc, argv,
                          {{"config", "", "a duplex.yaml; flags that are given win over it"},
                           {"listen", "127.0.0.1:8081", "where to serve gRPC and REST; port 0: the system chooses"},
                           {"data", "payments.db", "the SQLite file"},
                           {"log", "stderr", "where log lines go: stderr, stdout or a file"}});

  auto conf = shop::configuration(flags, "payments");
  if (!conf) {
    std::fprintf(stderr, "payments: %s\n", conf.error().message().c_str());
    return 1;
  }
  duplex::store::Options options;
  options.migrations = {shop::Payments::kTable};
  auto db = duplex::store::Database::open(flags["data"], options);
  if (!db) {
    std::fprintf(stderr, "payments: %s\n", db.error().message().c_str());
    return 1;
  }

  duplex::Server server(duplex::server_settings(*conf));
  for (const std::string& address : conf->server.listen) server.listen(address);
  server.serve(std::make_shared<shop::Payments>(**db));
  return server.run();
}
