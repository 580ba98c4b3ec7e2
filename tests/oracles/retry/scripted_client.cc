// Our client with a gRPC service config: scripted_client ADDRESS CONFIG DEADLINE_MS CALL SCRIPT...
// The same as grpc_go_retry/main.go is of grpc-go's.
#include <cstdio>
#include <cstdlib>

#include "duplex/app/client.h"
#include "duplex/resilience/service_config.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace {

using duplex::Context;
using duplex::Task;

Task<int> call(Context& ctx, duplex::Client& peer, const std::string& name, const char* script) {
  static const duplex::Method kMethod("/judge.Scripted/Call", false, false);
  duplex::One in{duplex::Message()};
  duplex::Drop out;
  duplex::Metadata metadata;
  metadata.add("x-call", name);
  metadata.add("x-script", script);
  duplex::Call made(kMethod, metadata, in, out);
  duplex::Outcome outcome = co_await peer.call(ctx, made);
  co_return static_cast<int>(outcome.status.code());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: scripted_client ADDRESS CONFIG DEADLINE_MS CALL SCRIPT...\n");
    return 2;
  }
  auto config = duplex::resilience::parse_service_config(argv[2]);
  if (!config) {
    std::fprintf(stderr, "scripted_client: %s\n", config.error().to_string().c_str());
    return 1;
  }
  return duplex::run([&](Context& ctx) -> Task<int> {
    duplex::Client peer(duplex::Client::Settings{.name = "scripted", .address = argv[1]});
    peer.use(duplex::resilience::by_service_config("scripted", *config));
    for (int i = 5; i < argc; ++i) {
      Context within(ctx, std::chrono::milliseconds(std::atoll(argv[3])));
      const std::string name = argv[4] + ("-" + std::to_string(i - 5));
      const int code = co_await call(within, peer, name, argv[i]);
      std::printf("%d\n", code);
    }
    co_return 0;
  });
}
