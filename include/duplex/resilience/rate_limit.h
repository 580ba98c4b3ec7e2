// RateLimit: how often each caller may call. (How many calls may be under way at once: admission.h.)
//
// A token bucket a key: `burst` calls may come at once, and `rate` a second from then on; what is not used fills the
// bucket again, up to `burst`. So over any span of t seconds one key gets burst + rate x t calls at most: there is no
// window at whose edge it would get twice as many.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/config/table.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct RateLimitSettings {
  // "metadata:x-tenant", "peer" (the caller's address without its port; of IPv6 the first 64 bits, which is what one
  // caller has), "method", or "" for all together. Calls without that metadata share one bucket.
  std::string key;
  double rate = 100;         // calls a second
  int64_t burst = 200;       // calls at once
  int64_t entries = 10'000;  // keys that are known at a time; the one used longest ago goes
  friend bool operator==(const RateLimitSettings&, const RateLimitSettings&) = default;
};
config::Table<RateLimitSettings> rate_limit_table();

// One bucket. Not thread-safe.
class TokenBucket {
 public:
  // False: it is empty, and nothing was taken. `rate` in tokens a second.
  bool take(double rate, int64_t burst, Time now) {
    refill(rate, now);
    if (used_ + 1 > static_cast<double>(burst) + kRounding) return false;
    used_ += 1;
    return true;
  }
  // What was taken is not needed after all.
  void give_back() { used_ = used_ > 1 ? used_ - 1 : 0; }

  // As of the last take(): how many may be taken; how long until one may be, and until all may.
  int64_t left(int64_t burst) const;
  Duration until_next(double rate, int64_t burst) const;
  Duration until_full(double rate) const;

 private:
  static constexpr double kRounding = 1e-6;  // of a token: what arithmetic may lose, so that none comes late
  void refill(double rate, Time now) {
    if (now <= at_) return;  // the clocks of two loops differ by up to a turn
    const double since = static_cast<double>((now - at_).count()) * 1e-9 * rate;
    used_ = used_ > since ? used_ - since : 0;
    at_ = now;
  }
  double used_ = 0;
  Time at_{};
};

class RateLimitKeys;

// The rules of a server, and a bucket for each key of each rule, over all loops. Kept when a configuration is loaded
// anew.
class RateLimiter {
 public:
  explicit RateLimiter(const std::vector<RateLimitSettings>& rules = {});
  ~RateLimiter();
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // From any thread. A rule whose key was there before keeps its buckets, with the new rate and burst.
  void set(const std::vector<RateLimitSettings>& rules);

  struct Snapshot {
    RateLimitSettings rule;
    int64_t keys = 0;  // that are known
    uint64_t refused = 0;
  };
  std::vector<Snapshot> snapshot() const;

  // One a rule, in their order: for the filter.
  std::vector<std::shared_ptr<RateLimitKeys>> keys() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<RateLimitKeys>> keys_;  // guarded by mutex_
};

// INVALID_ARGUMENT unless it is one of the forms above.
Status check_rate_limit_key(std::string_view key);

// Sets `memory` to `rules`. A call must pass them all; one that does not is refused with RESOURCE_EXHAUSTED (429),
// google.rpc.RetryInfo, `retry-after` and gRPC's pushback; it takes nothing from any bucket, and kRateLimited is
// reported. Answers over REST and plain HTTP have the fields `ratelimit-policy` and `ratelimit` of
// draft-ietf-httpapi-ratelimit-headers-10. A rule whose key is of no known form refuses every call: INTERNAL.
Filter rate_limit(std::vector<RateLimitSettings> rules, std::shared_ptr<RateLimiter> memory);

}  // namespace duplex::resilience
