// A gRPC server that does as each call says: scripted_server ADDRESS.
//
// A call's "x-script" has a step for each of its attempts, with spaces between; the last is also that of later ones:
//
//   14         status 14 as trailers only; 0 is an OK reply
//   14+p250    ... with grpc-retry-pushback-ms: 250 (what follows the p is taken as it is)
//   h14        ... after a head
//   m14        ... after a head and a message
//   refuse     RST_STREAM(REFUSED_STREAM)
//   silent     nothing, until it is cancelled
//   d300+0     waits for 300 ms first
//
// For each attempt it prints "begin CALL ATTEMPT TIME PREVIOUS" (TIME in us, PREVIOUS its grpc-previous-rpc-attempts or
// "-"), for each that its caller cancelled "cancelled CALL ATTEMPT TIME", and at the first "listening ADDRESS". SIGUSR1
// makes it print "mark", by which a reader knows that it has seen all that came before; SIGTERM ends it.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "duplex/http/connection.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/signals.h"
#include "duplex/runtime/socket.h"

namespace {

using duplex::Context;
using duplex::Metadata;
using duplex::Status;
using duplex::Task;

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(at, from), text.size());
    parts.emplace_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

class Scripted final : public duplex::http::Handler {
 public:
  Task<void> serve(Context& ctx, duplex::http::Exchange& x) override {
    const Metadata& fields = x.head().fields;
    const std::string call(fields.find("x-call").value_or("?"));
    const auto steps = split(fields.find("x-script").value_or("0"), ' ');
    const size_t attempt = attempts_[call]++;
    print("begin", ctx, call, attempt, std::string(fields.find("grpc-previous-rpc-attempts").value_or("-")));
    Status s = co_await answer(ctx, x, steps[std::min(attempt, steps.size() - 1)]);
    if (!s.is_ok()) print("cancelled", ctx, call, attempt, "");
  }

 private:
  static void print(const char* what, Context& ctx, const std::string& call, size_t attempt, const std::string& more) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(ctx.loop().now().time_since_epoch());
    std::printf("%s %s %zu %lld %s\n", what, call.c_str(), attempt, static_cast<long long>(us.count()), more.c_str());
    std::fflush(stdout);
  }

  // Not OK: cancelled.
  Task<Status> answer(Context& ctx, duplex::http::Exchange& x, const std::string& step) {
    Metadata head, end;
    head.add("content-type", "application/grpc");
    for (const std::string& part : split(step, '+')) {
      if (part == "silent" || part[0] == 'd') {
        const auto wait = part == "silent" ? std::chrono::hours(1) : std::chrono::milliseconds(std::atoi(&part[1]));
        if (Status s = co_await duplex::sleep(ctx, wait); !s.is_ok()) co_return s;
      } else if (part == "refuse") {
        x.reset(duplex::http::Reset::kRefusedStream);
        co_return Status();
      } else if (part[0] == 'p') {
        end.add("grpc-retry-pushback-ms", part.substr(1));
      }
    }
    const std::string status = what_of(step);
    const bool begins = status[0] == 'h' || status[0] == 'm' || status == "0";
    end.add("grpc-status", status.substr(status.find_first_of("0123456789")));
    if (!begins) {
      for (Metadata::Entry e : end) head.add(e.name, e.value);
      x.send_head(200, head, true);
      co_return Status();
    }
    x.send_head(200, head, false);
    if (status[0] != 'h') x.send(std::string_view("\0\0\0\0\0", 5));  // an empty message
    x.send_end(end);
    co_return Status();
  }
  // The part that is neither a wait nor a pushback.
  static std::string what_of(const std::string& step) {
    for (const std::string& part : split(step, '+'))
      if (part[0] != 'd' && part[0] != 'p') return part;
    return "0";
  }

  std::map<std::string, size_t> attempts_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: scripted_server ADDRESS\n");
    return 2;
  }
  duplex::Signals signals({SIGTERM, SIGINT, SIGUSR1});
  return duplex::run([&](Context& ctx) -> Task<int> {
    Scripted scripted;
    duplex::http::ServerOptions options;
    options.handler = &scripted;
    Context own(ctx);
    duplex::Scope scope(own);
    auto address = duplex::Address::parse(argv[1]);
    auto listening = address ? duplex::listen_on(*address) : duplex::Result<duplex::Fd>(address.error());
    if (!listening) {
      std::fprintf(stderr, "scripted_server: %s\n", listening.error().to_string().c_str());
      co_return 1;
    }
    {
      duplex::Acceptor acceptor(ctx.loop(), std::move(*listening), [&](duplex::Fd socket, std::string peer) {
        scope.spawn(
            [&](Context& child, int fd, std::string from) {
              return duplex::http::serve_connection(child, fd, std::move(from), options, nullptr);
            },
            socket.release(), std::move(peer));
      });
      std::printf("listening %s\n", acceptor.address().c_str());
      std::fflush(stdout);
      for (int number = SIGUSR1; number == SIGUSR1;) {
        duplex::Result<int> signal = co_await signals.next(ctx);
        number = signal ? *signal : SIGTERM;
        if (number != SIGUSR1) break;
        std::printf("mark\n");
        std::fflush(stdout);
      }
    }
    own.cancel(Status::unavailable("the server stops"));
    co_await scope.join();
    co_return 0;
  });
}
