// The service `payments`.
#include "configuration.h"
#include "flags.h"
#include "payments.h"

int main(int argc, char** argv) {
  const shop::Flags flags(argc, argv,
                          {{"config", "", "a duplex.yaml; flags that are given win over it"},
                           {"listen", "127.0.0.1:8081", "where to serve gRPC and REST; port 0: the system chooses"},
                           {"data", "payments.db", "the SQLite file"},
                           {"log", "stderr", "where log lines go: stderr, stdout or a file"}});

  auto app = shop::application(flags, "payments");
  if (!app) return duplex::complain(app.error());
  duplex::store::Options options;
  options.migrations = {shop::Payments::kTable};
  auto db = duplex::store::Database::open(flags["data"], options);
  if (!db) return duplex::complain(db.error());

  (*app)->server().serve(std::make_shared<shop::Payments>(**db));
  return (*app)->run();
}
