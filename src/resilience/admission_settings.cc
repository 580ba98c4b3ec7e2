#include "duplex/resilience/admission.h"

namespace duplex::resilience {

using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

config::Table<AdaptiveSettings> adaptive_table() {
  return config::Table<AdaptiveSettings>()
      .field("start", &AdaptiveSettings::start, config::integer(1, 1'000'000, "calls"), "The limit to begin with.")
      .field("least", &AdaptiveSettings::least, config::integer(1, 1'000'000, "calls"), "It never falls below this.")
      .field("most", &AdaptiveSettings::most, config::integer(1, 1'000'000, "calls"), "It never rises above this.");
}

}  // namespace

config::Table<ServerLimitSettings> server_limit_table() {
  return config::Table<ServerLimitSettings>()
      .optional("adaptive", &ServerLimitSettings::adaptive, adaptive_table(),
                "A limit that finds itself: it grows while calls are answered as fast as when few are under way.")
      .field("in_flight", &ServerLimitSettings::in_flight, config::integer(0, 1'000'000, "calls"),
             "A fixed limit of calls under way; 0: none.")
      .field("shed", &ServerLimitSettings::shed,
             config::one_of<Shed>({{"by_priority", Shed::kByPriority}, {"evenly", Shed::kEvenly}}),
             "Who is refused first. `by_priority`: by the metadata `x-priority`, 0 (last) to 9 (first), 5 without one.")
      .field("retry_after", &ServerLimitSettings::retry_after, config::duration(milliseconds(0), hours(1)),
             "What a refused caller is told to wait.");
}

}  // namespace duplex::resilience
