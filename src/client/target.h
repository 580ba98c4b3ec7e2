// Target: an endpoint of a peer as its balancer sees it.
#pragma once

#include <memory>
#include <string>

#include "client/peak_ewma.h"
#include "duplex/client/endpoint.h"

namespace duplex::client {

class HealthCheck;

struct Target {
  // What its name, its file or its peer's address says.
  std::string key;  // its address's text
  double weight = 1;
  int priority = 0;
  size_t group = 0;
  bool wanted = true;  // false: the name no longer has it

  std::unique_ptr<Endpoint> endpoint;
  std::shared_ptr<HealthCheck> check;  // null: none

  size_t calls = 0;  // on it now
  uint64_t total = 0, failures = 0;
  PeakEwma latency;

  // Whether it may be chosen.
  bool healthy = true;
  bool chosen = true;  // the last word of all that follows: one of its group's choices
  int64_t failed_in_a_row = 0;
  int64_t times_ejected = 0;  // less what was forgiven since
  bool ejected = false;
  Time ejected_until{};      // or when it was to return last
  Time warm_since = kNever;  // kNever: it has its whole share

  // A share of its weight while it is new or just back: a tenth at first, all of it when `span` has passed.
  double share(Time now, Duration span) const {
    if (warm_since == kNever || now - warm_since >= span) return 1;
    return std::max(0.1, static_cast<double>((now - warm_since).count()) / static_cast<double>(span.count()));
  }
};

}  // namespace duplex::client
