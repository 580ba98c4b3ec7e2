// The service `orders`: customers, products, orders. It calls the service `payments`.
#include <cstdio>

#include "configuration.h"
#include "customers.h"
#include "duplex/app/configured.h"
#include "flags.h"
#include "order_table.h"
#include "orders.h"
#include "products.h"

namespace {

int complain(const duplex::Status& why) {
  std::fprintf(stderr, "orders: %s\n", why.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const shop::Flags flags(argc, argv,
                          {{"config", "", "a duplex.yaml, whose peers hold payments; flags that are given win over it"},
                           {"listen", "127.0.0.1:8080", "where to serve gRPC and REST; port 0: the system chooses"},
                           {"data", "orders.db", "the SQLite file"},
                           {"payments", "127.0.0.1:8081", "where the service payments is"},
                           {"protocol", "grpc", "what payments is called over: grpc or rest"},
                           {"log", "stderr", "where log lines go: stderr, stdout or a file"}});

  if (flags["protocol"] != "grpc" && flags["protocol"] != "rest")
    return complain(duplex::Status::invalid_argument("--protocol is grpc or rest, not " + flags["protocol"]));
  auto conf = shop::configuration(flags, "orders");
  if (!conf) return complain(conf.error());
  auto& configured = conf->peers["payments"];
  if (configured.address.empty() || flags.given("payments")) configured.address = flags["payments"];
  if (flags.given("protocol"))
    configured.protocol = flags["protocol"] == "rest" ? duplex::PeerProtocol::kRest : duplex::PeerProtocol::kGrpc;
  auto peer = duplex::peer_settings(*conf, "payments");
  if (!peer) return complain(peer.error());

  duplex::store::Options options;
  options.migrations = {shop::Customers::kTable, shop::Products::kTable, shop::kOrderTables};
  auto db = duplex::store::Database::open(flags["data"], options);
  if (!db) return complain(db.error());

  auto payments = std::make_shared<duplex::Client>(*peer);
  duplex::Server server(duplex::server_settings(*conf));
  for (const std::string& address : conf->server.listen) server.listen(address);
  server.serve(std::make_shared<shop::Customers>(**db))
      .serve(std::make_shared<shop::Products>(**db))
      .serve(std::make_shared<shop::Orders>(**db, shop::v1::PaymentsClient(payments)));
  return server.run();
}
