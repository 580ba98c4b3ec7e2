#include "duplex/resilience/fallback.h"

namespace duplex::resilience {

using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

config::Table<LastGoodSettings> last_good_table() {
  return config::Table<LastGoodSettings>()
      .field("max_age", &LastGoodSettings::max_age, config::duration(milliseconds(1), hours(24 * 30)),
             "An older answer is not given.")
      .field("entries", &LastGoodSettings::entries, config::integer(1, 10'000'000, "answers"),
             "Requests whose answer is kept; the one used longest ago makes room.")
      .field("max_size", &LastGoodSettings::max_size, config::size(1 << 10, uint64_t{1} << 40),
             "The most memory that requests and their answers take together.");
}

}  // namespace

config::Table<FallbackSettings> fallback_table() {
  return config::Table<FallbackSettings>()
      .optional("last_good", &FallbackSettings::last_good, last_good_table(),
                "The last good answer to the same request, marked stale.")
      .field("method", &FallbackSettings::method, config::text(),
             "Another method of the peer that takes and gives the same messages: `shop.v1.Prices/ListPrice`.")
      .field("peer", &FallbackSettings::peer, config::text(), "Another peer, that is asked for the same.")
      .field("reply", &FallbackSettings::reply, config::text(),
             "A reply as JSON or in protobuf's text format; the last resort of those named here. It must fit each "
             "method that "
             "it answers for: that is checked when a client with their contract is made, and at each reload.")
      .list("on", &FallbackSettings::on, cause(),
            "Which failures it answers for. `open`: the breaker refused; `limit`: too many calls were under way.")
      .field("reserve", &FallbackSettings::reserve, config::duration(milliseconds(0), hours(1)),
             "Of the caller's deadline, what is kept for the fallback when the peer is slow.");
}

}  // namespace duplex::resilience
