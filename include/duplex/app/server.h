// Server: serves generated services over gRPC, REST and plain HTTP on one port.
//
//   int main() {
//     duplex::Server server;
//     server.listen("0.0.0.0:8080").serve(std::make_shared<Orders>());
//     return server.run();   // until SIGTERM or SIGINT, then stops gracefully
//   }
//
// One service object serves all: its methods run at the same time on every loop, one loop a core, so its state needs a
// lock (held over no co_await) or the store; one_loop() is for those who want none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/log.h"
#include "duplex/contract/description.h"
#include "duplex/resilience/admission.h"
#include "duplex/resilience/rate_limit.h"
#include "duplex/runtime/tls.h"
#include "duplex/service/service.h"

namespace duplex {

class Server {
 public:
  // What may be set; each default is safe as it stands.
  struct Settings {
    size_t loops = 0;                             // 0: one a core
    size_t max_message = 4 << 20;                 // octets of one message or body: RESOURCE_EXHAUSTED, 413
    size_t max_head = 64 << 10;                   // octets of one head: 431
    size_t max_streams = 100;                     // concurrent calls of one HTTP/2 connection: REFUSED_STREAM
    size_t max_connections = 10'000;              // past it new ones are closed at once
    Duration timeout = std::chrono::seconds(15);  // of a unary call that brings no deadline; 0: none
    Duration grace = std::chrono::seconds(20);    // how long a stop waits for calls before it cancels them
    Duration idle = std::chrono::minutes(5);      // a connection with no call is closed
    // A caller that takes neither its answer (HTTP/2: it gives no window) nor anything at all: past this its stream is
    // reset, or its connection closed, so that it does not hold memory for ever.
    Duration send_stall = std::chrono::seconds(60);
    // The longest pause of a loop between two turns under load, so that calls that come one by one share reads and
    // writes: less CPU a call, at times more calls a second, for up to this much latency. It is taken only while it is
    // seen to cost no throughput, and never while calls come one after the other. 0: never.
    Duration coalesce = std::chrono::microseconds(30);
    std::optional<TlsServerSettings> tls{};  // all that it listens on; none: in the clear. Its files are watched
    std::optional<resilience::ServerLimitSettings> limit{};   // how many calls are taken on at the same time
    std::vector<resilience::RateLimitSettings> rate_limit{};  // how often a caller may call
    std::string service_name = "duplex";                      // in log lines
    std::string log_file = "stderr";                          // where log lines go: "stderr", "stdout" or a file's path
    LogLevel log_level = LogLevel::kInfo;
    bool access_log = true;   // a line for every call
    bool health = true;       // grpc.health.v1, unless a service of that name is served
    bool reflection = false;  // grpc.reflection, v1 and v1alpha: shows the contract to whoever may call
  };

  Server();
  explicit Server(Settings settings);
  ~Server();  // stops
  Server(const Server&) = delete;

  // An address to listen on: "127.0.0.1:8080", "[::]:8080", ":8080" (both families), "unix:/run/x.sock". Port 0: the
  // system chooses. Several are allowed.
  Server& listen(std::string_view address);
  // Serves a generated service's methods; several services may be served.
  Server& serve(std::shared_ptr<contract::DescribedService> service);
  // A plain HTTP route beside the contract, "POST /hooks/{name}" in google.api.http's path grammar, streamed both ways.
  // The handler sees opaque chunks; its head may hold ":status". The Call's metadata holds ":method", ":path" and
  // ":authority" in front of the fields, and each variable of the path, percent-decoded: ":path.name" for {name}.
  using RouteHandler = std::function<Task<Outcome>(Context&, Call&)>;
  Server& route(std::string_view pattern, RouteHandler handler);
  // A filter around every call, outside the handler and inside the built-in ones, in the order of use().
  Server& use(Filter filter);
  // What grpc.health.v1 says of a service ("shop.v1.Orders"), or of the server (""). From its start on all are served,
  // until it stops. From any thread.
  Server& set_serving(const std::string& service, bool serving);
  // One loop: methods never run at the same time.
  Server& one_loop();

  // Starts and returns. Errors: what is wrong with an address or a contract, who holds a port.
  Status start();
  // Where it listens, after start(): "127.0.0.1:43617".
  std::vector<std::string> addresses() const;
  // Stops taking connections and calls, waits up to the grace period for what runs, cancels the rest, and returns.
  // False: something did not end even then, and is named on stderr.
  bool stop();

  // From now on these settings, as far as they can change while it runs (the limits, the log's level); from any thread.
  // Returns the names of those that differ and cannot: "loops, max_message". Empty: none.
  std::string reconfigure(const Settings& settings);
  // A line in the server's own log; from any thread, after start().
  void note(LogLevel level, std::string_view message);

  // start(), prints where it listens, waits for SIGTERM or SIGINT, stops. 0: a clean stop.
  int run();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace duplex
