// The service `payments`.
#include <cstdio>

#include "duplex/app/server.h"
#include "flags.h"
#include "payments.h"

int main(int argc, char** argv) {
  const shop::Flags flags(argc, argv,
                          {{"listen", "127.0.0.1:8081", "where to serve gRPC and REST; port 0: the system chooses"},
                           {"data", "payments.db", "the SQLite file"},
                           {"log", "stderr", "where log lines go: stderr, stdout or a file"}});

  duplex::store::Options options;
  options.migrations = {shop::Payments::kTable};
  auto db = duplex::store::Database::open(flags["data"], options);
  if (!db) {
    std::fprintf(stderr, "payments: %s\n", db.error().message().c_str());
    return 1;
  }

  duplex::Server::Settings settings;
  settings.service_name = "payments";
  settings.log_file = flags["log"];
  settings.grace = std::chrono::seconds(5);
  duplex::Server server(settings);
  server.listen(flags["listen"]).serve(std::make_shared<shop::Payments>(**db));
  return server.run();
}
