// Both services on one port: contracts_server ADDRESS.
#include <cstdio>

#include "clinic_service.h"
#include "dispatch_service.h"
#include "duplex/app/server.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: contracts_server ADDRESS\n");
    return 2;
  }
  duplex::Server::Settings settings;
  settings.log_file = "/dev/null";
  settings.loops = 2;
  settings.service_name = "contracts_server";
  duplex::Server server(settings);
  server.listen(argv[1])
      .serve(std::make_shared<clinic::v1::AppointmentsService>())
      .serve(std::make_shared<ridehail::dispatch::v1::DispatchService>());
  return server.run();
}
