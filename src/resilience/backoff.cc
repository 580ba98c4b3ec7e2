#include "duplex/resilience/backoff.h"

#include <algorithm>
#include <cmath>

namespace duplex::resilience {

using std::chrono::hours;
using std::chrono::milliseconds;

config::Table<BackoffSettings> backoff_table() {
  return config::Table<BackoffSettings>()
      .field("base", &BackoffSettings::base, config::duration(milliseconds(0), hours(1)),
             "The longest wait before the second attempt.")
      .field("cap", &BackoffSettings::cap, config::duration(milliseconds(0), hours(1)),
             "The longest wait before any attempt.")
      .field("multiplier", &BackoffSettings::multiplier, config::number(1, 100),
             "By how much the wait grows from attempt to attempt; 1: it does not.")
      .field(
          "jitter", &BackoffSettings::jitter,
          config::one_of<Jitter>({{"full", Jitter::kFull}, {"none", Jitter::kNone}, {"grpc", Jitter::kGrpc}}),
          "`full`: anything from nothing to the wait, so that callers who failed together do not come back together; "
          "`grpc`: 0.8 to 1.2 of it, as gRPC does; `none`: the wait itself.");
}

Duration backoff(const BackoffSettings& settings, int n, double chance) {
  const double bound = std::min(static_cast<double>(settings.base.count()) *
                                    std::pow(settings.multiplier, static_cast<double>(std::max(n, 1) - 1)),
                                static_cast<double>(settings.cap.count()));
  switch (settings.jitter) {
    case Jitter::kFull:
      return Duration(static_cast<int64_t>(bound * chance));
    case Jitter::kGrpc:
      return Duration(static_cast<int64_t>(bound * (0.8 + 0.4 * chance)));
    case Jitter::kNone:
      break;
  }
  return Duration(static_cast<int64_t>(bound));
}

}  // namespace duplex::resilience
