// What telemetry keeps of each method: its series, and the fields of its line as they stand in it.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "duplex/base/metrics.h"
#include "duplex/service/service.h"

namespace duplex::telemetry {

class Side;

class MethodSeries {
 public:
  MethodSeries(Side& side, const std::string& name);
  UpDownCounter& in_flight() { return in_flight_; }
  Histogram& duration(Code code) {
    Histogram* h = durations_[static_cast<size_t>(code)].load(std::memory_order_acquire);
    return h ? *h : make_duration(code);
  }
  const std::string& name() const { return name_; }              // of the Method
  const std::string& log_fields() const { return log_fields_; }  // `,"event.dataset":...,"rpc.method":...`

 private:
  Histogram& make_duration(Code code);
  Side& side_;
  const std::string name_, label_;
  const std::string log_fields_;
  UpDownCounter& in_flight_;
  std::array<std::atomic<Histogram*>, 17> durations_{};
};

// Calls that come in, or calls that go out to one peer.
class Side {
 public:
  Side(Registry& registry, bool server, std::string peer);
  bool is(bool server, const std::string& peer) const { return server == server_ && peer == peer_; }
  // Takes a lock: LoopCell remembers the answer. Past 2,000 methods all others are one, "_OTHER".
  MethodSeries& of(const Method& method);

 private:
  friend class MethodSeries;
  const bool server_;
  const std::string peer_;
  Family<Histogram>& durations_;
  Family<UpDownCounter>& in_flight_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<MethodSeries>, std::less<>> methods_;
};

}  // namespace duplex::telemetry
