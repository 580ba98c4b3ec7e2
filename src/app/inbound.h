// Inbound: the chain of a server, one list, and the routes every server has of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "app/gate.h"
#include "app/peer_directory.h"
#include "app/policy_events.h"
#include "duplex/base/log.h"
#include "duplex/base/metrics.h"
#include "duplex/runtime/scope.h"
#include "duplex/service/service.h"
#include "duplex/telemetry/telemetry.h"

namespace duplex::app {

class Dispatcher;

class Inbound {
 public:
  struct Settings {
    std::string service_name;
    std::string log_file;  // "stderr", "stdout" or a path
    LogLevel log_level = LogLevel::kInfo;
    bool access_log = true;
    AdmissionRules admission;
  };
  // UNAVAILABLE and such: the log file cannot be opened.
  static Result<std::unique_ptr<Inbound>> make(Settings settings);
  ~Inbound();

  // Everything that stands between a protocol and `service`, in the order of design.md's inbound chain.
  std::shared_ptr<Service> chain(std::shared_ptr<Service> service, const std::vector<Filter>& users);
  // For a service that the server has of its own: without limits, so that an overloaded server is not taken for a dead
  // one, and without users' filters.
  std::shared_ptr<Service> own_chain(std::shared_ptr<Service> service);
  // The outermost part alone, for calls that are refused before the rest is asked.
  Filter observe() { return telemetry_.server(); }
  // /livez, /readyz, /metrics, and for callers of this machine /debug/peers.
  Status add_own_routes(Dispatcher& dispatcher);
  // On the loop, with the Context of all its work: so that log(ctx) and clients find their way.
  void attach(Context& root);
  void set_ready(bool ready) { ready_ = ready; }
  // These three from any thread.
  void set_log_level(LogLevel level) { logger_.set_level(level); }
  void set_admission(const AdmissionRules& rules);
  void note(LogLevel level, std::string_view message);
  // From any thread.
  void report_stall(std::string_view method, Duration held);

 private:
  Inbound(Settings settings, std::unique_ptr<LogSink> sink);
  const Settings settings_;
  std::atomic<bool> ready_{false};
  std::unique_ptr<LogSink> sink_;
  Logger logger_;
  Registry registry_;
  Telemetry telemetry_;
  PolicyEvents policy_events_;
  PeerDirectory peers_;
  const AdmissionMemory admission_;
  std::mutex gates_mutex_;
  AdmissionRules rules_;
  std::vector<std::shared_ptr<Gate>> gates_;
  Histogram& calls_per_turn_;
};

}  // namespace duplex::app
