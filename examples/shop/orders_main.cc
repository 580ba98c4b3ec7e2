// The service `orders`: customers, products, orders. It calls the service `payments`.
#include <cstdio>

#include "customers.h"
#include "duplex/app/client.h"
#include "duplex/app/server.h"
#include "flags.h"
#include "order_table.h"
#include "orders.h"
#include "products.h"

int main(int argc, char** argv) {
  const shop::Flags flags(argc, argv,
                          {{"listen", "127.0.0.1:8080", "where to serve gRPC and REST; port 0: the system chooses"},
                           {"data", "orders.db", "the SQLite file"},
                           {"payments", "127.0.0.1:8081", "where the service payments is"},
                           {"protocol", "grpc", "what payments is called over: grpc or rest"},
                           {"log", "stderr", "where log lines go: stderr, stdout or a file"}});

  duplex::store::Options options;
  options.migrations = {shop::Customers::kTable, shop::Products::kTable, shop::kOrderTables};
  auto db = duplex::store::Database::open(flags["data"], options);
  if (!db) {
    std::fprintf(stderr, "orders: %s\n", db.error().message().c_str());
    return 1;
  }

  duplex::Client::Settings peer;
  peer.name = "payments";
  peer.address = flags["payments"];
  if (flags["protocol"] != "grpc" && flags["protocol"] != "rest") {
    std::fprintf(stderr, "orders: --protocol is grpc or rest, not %s\n", flags["protocol"].c_str());
    return 2;
  }
  peer.protocol = flags["protocol"] == "rest" ? duplex::Protocol::kRest : duplex::Protocol::kGrpc;
  auto payments = std::make_shared<duplex::Client>(peer);

  duplex::Server::Settings settings;
  settings.service_name = "orders";
  settings.log_file = flags["log"];
  settings.grace = std::chrono::seconds(5);  // a stream that follows an order is cut off then
  duplex::Server server(settings);
  server.listen(flags["listen"])
      .serve(std::make_shared<shop::Customers>(**db))
      .serve(std::make_shared<shop::Products>(**db))
      .serve(std::make_shared<shop::Orders>(**db, shop::v1::PaymentsClient(payments)));
  return server.run();
}
