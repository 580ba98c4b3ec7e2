// A service on a free port of its own, and a client to it.
#pragma once

#include <gtest/gtest.h>

#include "duplex/app/client.h"
#include "duplex/app/server.h"
#include "duplex/runtime/run.h"

namespace duplex::tests {

class Served {
 public:
  explicit Served(std::shared_ptr<contract::DescribedService> service) : server(quiet()) {
    server.listen("127.0.0.1:0").serve(std::move(service));
    Status s = server.start();
    if (!s.is_ok()) throw std::runtime_error(s.to_string());
    client = std::make_shared<Client>(Client::Settings{.name = "contracts", .address = server.addresses()[0]});
  }

  Server server;
  std::shared_ptr<Client> client;

 private:
  static Server::Settings quiet() {
    Server::Settings settings;
    settings.log_file = "/dev/null";
    settings.loops = 2;
    return settings;
  }
};

}  // namespace duplex::tests
