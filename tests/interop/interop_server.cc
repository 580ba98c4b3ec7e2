// Our server of talk.proto for clients that we did not write: interop_server ADDRESS [GRACE_MS].
//
// Each reply's trailers tell what the server sees: x-running (calls in a handler), x-cancelled (handlers that heard a
// cancel), x-accepted (calls that came this far), x-held, and x-written (messages written to streams). A caller that
// sends "x-fail-bin" is answered ABORTED with that text; a call with "x-hold: N" is held until N streams have ended.
// At the end it prints how many calls it accepted.
#include <cstdio>
#include <cstdlib>

#include "talk_service.h"

namespace {

std::atomic<int64_t> accepted{0}, held{0}, streams_ended{0}, written{0};

class CountingSink final : public duplex::Sink {
 public:
  explicit CountingSink(duplex::Sink& next) : next_(next) {}
  duplex::Task<duplex::Status> head(duplex::Context& ctx, duplex::Metadata metadata) override {
    return next_.head(ctx, std::move(metadata));
  }
  duplex::Task<duplex::Status> write(duplex::Context& ctx, duplex::Message message) override {
    ++written;
    return next_.write(ctx, std::move(message));
  }

 private:
  duplex::Sink& next_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: interop_server ADDRESS [GRACE_MS]\n");
    return 2;
  }
  duplex::Server::Settings settings;
  settings.log_file = "/dev/null";
  settings.loops = 2;
  settings.service_name = "interop_server";
  if (argc > 2) settings.grace = std::chrono::milliseconds(std::atoll(argv[2]));
  duplex::Server server(settings);
  auto service = std::make_shared<talk::v1::TalkService>();
  server.listen(argv[1]).serve(service);
  server.use(duplex::filter(
      [&](duplex::Context& ctx, duplex::Call& call, duplex::Service& next) -> duplex::Task<duplex::Outcome> {
        ++accepted;
        if (auto streams = call.metadata.find("x-hold")) {
          ++held;
          duplex::Status waited;
          while (waited.is_ok() && streams_ended < std::atoll(std::string(*streams).c_str()))
            waited = co_await duplex::sleep(ctx, std::chrono::milliseconds(1));
          --held;
        }
        duplex::Outcome outcome;
        if (auto text = call.metadata.find("x-fail-bin")) {
          outcome.status = duplex::Status::aborted(std::string(*text));
        } else {
          CountingSink counting(*call.out);
          duplex::Sink* out = call.out;
          if (call.method->service_streams) call.out = &counting;
          outcome = co_await next.call(ctx, call);
          call.out = out;
        }
        streams_ended += call.method->service_streams || call.method->caller_streams;
        outcome.trailers.add("x-running", std::to_string(service->running));
        outcome.trailers.add("x-cancelled", std::to_string(service->cancelled));
        outcome.trailers.add("x-accepted", std::to_string(accepted));
        outcome.trailers.add("x-held", std::to_string(held));
        outcome.trailers.add("x-written", std::to_string(written));
        co_return outcome;
      }));
  int code = server.run();
  std::fprintf(stderr, "interop_server: accepted %lld\n", static_cast<long long>(accepted.load()));
  return code;
}
