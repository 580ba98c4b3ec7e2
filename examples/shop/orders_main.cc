// The service `orders`: customers, products, orders. It calls the service `payments`.
#include "configuration.h"
#include "customers.h"
#include "flags.h"
#include "order_table.h"
#include "orders.h"
#include "products.h"

int main(int argc, char** argv) {
  const shop::Flags flags(argc, argv,
                          {{"config", "", "a duplex.yaml, whose peers hold payments; flags that are given win over it"},
                           {"listen", "127.0.0.1:8080", "where to serve gRPC and REST; port 0: the system chooses"},
                           {"data", "orders.db", "the SQLite file"},
                           {"payments", "127.0.0.1:8081", "where the service payments is"},
                           {"protocol", "grpc", "what payments is called over: grpc or rest"},
                           {"log", "stderr", "where log lines go: stderr, stdout or a file"}});

  if (flags["protocol"] != "grpc" && flags["protocol"] != "rest")
    return duplex::complain(duplex::Status::invalid_argument("--protocol is grpc or rest, not " + flags["protocol"]));
  auto app = shop::application(flags, "orders", [flags](duplex::Configuration& conf) {
    auto& payments = conf.peers["payments"];
    if (payments.address.empty() || flags.given("payments")) payments.address = flags["payments"];
    if (flags.given("protocol"))
      payments.protocol = flags["protocol"] == "rest" ? duplex::PeerProtocol::kRest : duplex::PeerProtocol::kGrpc;
  });
  if (!app) return duplex::complain(app.error());
  auto payments = (*app)->peer("payments");
  if (!payments) return duplex::complain(payments.error());

  duplex::store::Options options;
  options.migrations = {shop::Customers::kTable, shop::Products::kTable, shop::kOrderTables};
  auto db = duplex::store::Database::open(flags["data"], options);
  if (!db) return duplex::complain(db.error());

  (*app)
      ->server()
      .serve(std::make_shared<shop::Customers>(**db))
      .serve(std::make_shared<shop::Products>(**db))
      .serve(std::make_shared<shop::Orders>(**db, shop::v1::PaymentsClient(*payments)));
  return (*app)->run();
}
