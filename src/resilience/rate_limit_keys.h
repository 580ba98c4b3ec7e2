// RateLimitKeys: the buckets of one rule, of the keys that were used last.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "duplex/base/list.h"
#include "duplex/resilience/rate_limit.h"

namespace duplex::resilience {

class RateLimitKeys {
 public:
  explicit RateLimitKeys(const RateLimitSettings& rule);

  void set(const RateLimitSettings& rule);
  RateLimitSettings rule() const;

  // The key of a call; what it is made of may be written to `buffer`.
  std::string_view key_of(const Context& ctx, const Call& call, std::string& buffer) const;

  struct Taken {
    bool passes = false;
    TokenBucket bucket;  // as it is now
  };
  // From any thread, as give_back().
  Taken take(std::string_view key, Time now);
  void give_back(std::string_view key);

  int64_t size() const;
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Entry : ListNode {
    TokenBucket bucket;
    const std::string* key = nullptr;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Map = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;
  // A part of the keys, so that loops seldom meet at one lock.
  struct Shard {
    mutable std::mutex mutex;
    Map map;
    List<Entry, Entry> by_use;  // the one used longest ago first
  };
  Shard& shard(std::string_view key);
  Entry& entry(Shard& shard, std::string_view key);

  enum class By : uint8_t { kAll, kMetadata, kPeer, kMethod };
  const std::string key_;
  const By by_;
  std::string name_;  // of the metadata
  std::atomic<double> rate_{0};
  std::atomic<int64_t> burst_{0}, entries_{0};
  std::atomic<uint64_t> refused_{0};
  std::vector<Shard> shards_;
};

}  // namespace duplex::resilience
