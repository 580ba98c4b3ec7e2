// Fallback: an answer in the peer's place when it has none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duplex/config/table.h"
#include "duplex/resilience/cause.h"

namespace duplex::resilience {

struct LastGoodSettings {
  Duration max_age = std::chrono::seconds(60);
  int64_t entries = 1000;  // requests that an answer is kept for; the one used longest ago goes first
};

struct FallbackSettings {
  std::string reply;                          // JSON of the method's reply message; empty: none
  std::optional<LastGoodSettings> last_good;  // the last good reply to the same request
  std::string method;  // another method of the same peer, "shop.v1.Prices/ListPrice", with the same messages
  std::string peer;    // another peer, asked for the same
  std::vector<Cause> on{Cause::of(Code::kUnavailable), Cause::of(Code::kDeadlineExceeded), Cause{Cause::Kind::kOpen, 0},
                        Cause{Cause::Kind::kLimit, 0}};
  Duration reserve = std::chrono::milliseconds(50);  // of the caller's deadline, kept for the fallback
};
config::Table<FallbackSettings> fallback_table();

}  // namespace duplex::resilience
