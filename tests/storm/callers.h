// Callers that call as often as they please, whatever becomes of their calls (an open loop), and note what they saw.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duplex/app/client.h"
#include "duplex/resilience/retry.h"
#include "talk.duplex.h"

namespace duplex::storm {

// What became of one call.
struct Seen {
  Duration began{};  // since the phase began
  Duration took{};
  bool ok = false;
};

struct Phase {
  double offered = 0;   // calls a second that began
  double attempts = 0;  // a second, retries included
  double goodput = 0;   // a second: calls that were answered OK in time
  Duration latest{};    // how late the latest call was begun: if it is much, the callers are what is slow
  std::vector<Seen> calls;
  std::vector<Duration> served;  // how long each attempt took that was answered OK, in order of length

  Duration served_at(double share) const;
};

class Callers {
 public:
  // So many, each with a connection of its own; all retry three times, within one budget if there is one.
  Callers(const std::string& address, size_t count, std::shared_ptr<resilience::Budget> budget);

  // Calls `rate` times a second for `span`, and waits for the last to end.
  Task<Phase> call(Context& ctx, double rate, Duration span);

 private:
  Task<void> one(Context& ctx, talk::v1::TalkClient& client, Time phase_began, Phase& phase);

  struct Attempts {
    size_t made = 0;
    std::vector<Duration> served;
  } attempts_;
  std::vector<std::unique_ptr<talk::v1::TalkClient>> clients_;
};

}  // namespace duplex::storm
