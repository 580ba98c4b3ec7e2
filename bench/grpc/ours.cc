// Our side of the gRPC benchmarks: the whole inbound chain, access log to a file.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "echo_service.h"

// ours ADDRESS LOG-FILE [LOOPS [COALESCE-MICROSECONDS]]
int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: ours ADDRESS LOG-FILE [LOOPS [COALESCE-MICROSECONDS]]\n"), 2;
  duplex::Server::Settings settings;
  settings.service_name = "echo";
  settings.log_file = argv[2];
  settings.loops = argc > 3 ? static_cast<size_t>(std::atoi(argv[3])) : 1;
  if (argc > 4) settings.coalesce = std::chrono::microseconds(std::atoi(argv[4]));
  duplex::Server server(settings);
  server.listen(argv[1]).serve(std::make_shared<duplex::bench::EchoService>());
  return server.run();
}
