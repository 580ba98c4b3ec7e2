// Telemetry: what each call leaves behind: its place in a trace, its time in a histogram, its line in the access log.
//
//   Registry registry;
//   LogSink sink(STDERR_FILENO);
//   Logger logger(sink, "orders");
//   Telemetry telemetry(registry, logger);
//   chain = { telemetry.server(), deadline(), ... };             // outermost
//   peer_chain = { telemetry.client("stock"), ... };             // outermost
//   telemetry.attach(root);                                      // so that log(root) writes here, outside of calls too
//   set_exception_report(log_exception);
//   page = registry.render();                                    // GET /metrics
//
// Trace, metrics and access log are one filter and not three, since they speak of the same start, end and ids: one
// frame and one clock read a call. What they need of a Method is looked up once a loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "duplex/base/metrics.h"
#include "duplex/service/service.h"
#include "duplex/telemetry/loop_log.h"
#include "duplex/telemetry/trace_context.h"

namespace duplex {

namespace telemetry {
class LoopCell;
class Side;
}  // namespace telemetry

class Telemetry {
 public:
  struct Options {
    bool access_log = true;  // a line a call
    // Of the traces that begin here, how many are marked as sampled (0 to 1). One that came with a call keeps its mark.
    double sampled = 1;
    // How long a line may wait for others to be written with, under load; 0: no longer than to the end of its turn.
    Duration flush_after = std::chrono::milliseconds(1);
    Options() {}
  };
  // Registry and logger outlive this; this outlives the filters' calls and is destroyed when no loop that it saw runs.
  Telemetry(Registry& registry, Logger& logger, Options options = {});
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  // For calls that come in. Continues the trace of their metadata or starts one, and puts it into the Context; counts
  // duplex_server_calls_in_flight{rpc_method}; observes rpc_server_call_duration_seconds{rpc_method, rpc_status_code};
  // writes a line of event.dataset "duplex.access".
  Filter server();
  // For calls that go out to the peer of that name. Makes a span below the Context's, and writes it into the metadata;
  // duplex_client_calls_in_flight{rpc_method, peer}, rpc_client_call_duration_seconds{rpc_method, peer,
  // rpc_status_code}.
  Filter client(std::string peer);

  // Makes log() work under a Context that is no call's, such as a loop's root. On its loop.
  void attach(Context& ctx);

  // The rest is for the filters.
  telemetry::LoopCell& here(Loop& loop);
  const Options& options() const { return options_; }
  // Of this one alone, for whoever outlives it: another may come to stand at its address.
  uint64_t id() const { return id_; }
  bool sample(const TraceContext& trace) const {
    return options_.sampled >= 1 || static_cast<double>(trace.trace_id.low >> 1) < options_.sampled * 0x1p63;
  }

 private:
  static constexpr size_t kMaxLoops = 512;
  struct Slot {
    std::atomic<Loop*> loop{nullptr};
    std::unique_ptr<telemetry::LoopCell> cell;
  };
  telemetry::LoopCell& open(Loop& loop);
  telemetry::Side& side(bool server, const std::string& peer);

  Registry& registry_;
  Logger& logger_;
  const Options options_;
  const uint64_t id_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<telemetry::Side>> sides_;
  const std::unique_ptr<Slot[]> slots_;  // a hash table by the loop's address that only grows
};

// Within a retry or a hedge: each attempt is a span of its own below the call's, so that what a peer did for one is
// told from what it did for another (OpenTelemetry semantic conventions, HTTP client spans, "resend").
Filter attempt_span();

}  // namespace duplex
