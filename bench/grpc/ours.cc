// Our side of the gRPC benchmarks: the whole inbound chain, access log to a file.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "duplex/app/server.h"
#include "echo.duplex.h"

using namespace duplex;

namespace {

class Echo final : public duplex::bench::EchoBase {
 public:
  Task<Result<bench::EchoReply>> unary(Context&, const bench::EchoRequest& in) override {
    bench::EchoReply out;
    out.set_id(in.id());
    out.set_sequence(in.sequence());
    out.set_customer(in.customer());
    *out.mutable_items() = in.items();
    out.set_payload(in.payload());
    return Task<Result<bench::EchoReply>>::ready(std::move(out));
  }

  Task<Status> stream(Context& ctx, const bench::StreamRequest& in, Writer<bench::EchoReply>& out) override {
    bench::EchoReply reply;
    reply.set_id("stream");
    reply.set_payload(std::string(static_cast<size_t>(in.octets()), 'x'));
    for (int64_t i = 0; i < in.messages(); ++i) {
      reply.set_sequence(i);
      if (Status s = co_await out.write(ctx, reply); !s.is_ok()) co_return s;
    }
    co_return Status::ok();
  }
};

}  // namespace

// ours ADDRESS LOG-FILE [LOOPS]
int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: ours ADDRESS LOG-FILE [LOOPS]\n"), 2;
  Server::Settings settings;
  settings.service_name = "echo";
  settings.log_file = argv[2];
  settings.loops = argc > 3 ? static_cast<size_t>(std::atoi(argv[3])) : 1;
  Server server(settings);
  server.listen(argv[1]).serve(std::make_shared<Echo>());
  return server.run();
}
