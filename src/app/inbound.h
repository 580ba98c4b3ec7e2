// Inbound: the chain of a server, one list, and the routes every server has of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "duplex/runtime/loop.h"
#include "duplex/service/service.h"

namespace duplex::app {

class Dispatcher;

class Inbound {
 public:
  struct Settings {
    std::string service_name, log_file;
    Duration timeout{};
  };
  explicit Inbound(Settings settings);
  ~Inbound();

  // Everything that stands between a protocol and `service`, in the order of design.md's inbound chain.
  std::shared_ptr<Service> chain(std::shared_ptr<Service> service, const std::vector<Filter>& users) const;
  // /livez, /readyz, /metrics.
  Status add_own_routes(Dispatcher& dispatcher);
  void attach(Loop& loop);
  void set_ready(bool ready) { ready_ = ready; }
  void report_stall(std::string_view method, Duration held);
  void flush();

 private:
  const Settings settings_;
  std::atomic<bool> ready_{false};
};

}  // namespace duplex::app
