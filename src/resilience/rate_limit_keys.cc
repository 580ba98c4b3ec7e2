#include "resilience/rate_limit_keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace duplex::resilience {
namespace {

constexpr std::string_view kMetadata = "metadata:";
constexpr size_t kLongestKey = 256;     // octets; of a longer one both ends are taken
constexpr int64_t kKeysOfAShard = 512;  // at least
constexpr size_t kShards = 16;

// "10.0.0.7" of "10.0.0.7:51324"; the first 64 bits of an IPv6 address; "unix:/run/x" whole.
std::string_view host_of(std::string_view address, std::string& buffer) {
  if (address.starts_with("unix:")) return address;
  const std::string_view host = address.substr(0, address.rfind(':'));
  if (!host.starts_with('[') || !host.ends_with(']')) return host;
  buffer = host.substr(1, host.size() - 2);
  in6_addr ip{};
  if (inet_pton(AF_INET6, buffer.c_str(), &ip) != 1) return host;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) return host;  // an IPv4 caller of a socket for both
  buffer.assign(reinterpret_cast<const char*>(ip.s6_addr), 8);
  return buffer;
}

}  // namespace

Status check_rate_limit_key(std::string_view key) {
  if (key.empty() || key == "peer" || key == "method") return {};
  const bool named = key.starts_with(kMetadata) && key.size() > kMetadata.size();
  const bool lower = std::none_of(key.begin(), key.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (named && lower) return {};
  return Status::invalid_argument("\"" + std::string(key.substr(0, 100)) +
                                  "\" is no key: write `metadata:` and a name" + (named ? " in lower case" : "") +
                                  ", `peer`, `method`, or nothing for all calls");
}

RateLimitKeys::RateLimitKeys(const RateLimitSettings& rule)
    : key_(rule.key),
      by_(key_.empty()                  ? By::kAll
          : key_.starts_with(kMetadata) ? By::kMetadata
          : key_ == "peer"              ? By::kPeer
                                        : By::kMethod),
      name_(by_ == By::kMetadata ? key_.substr(kMetadata.size()) : std::string()),
      shards_(by_ == By::kAll || rule.entries < kKeysOfAShard ? 1 : kShards) {
  set(rule);
}

void RateLimitKeys::set(const RateLimitSettings& rule) {
  rate_ = rule.rate;
  burst_ = rule.burst;
  entries_ = rule.entries;
}

RateLimitSettings RateLimitKeys::rule() const {
  RateLimitSettings rule;
  rule.key = key_;
  rule.rate = rate_;
  rule.burst = burst_;
  rule.entries = entries_;
  return rule;
}

std::string_view RateLimitKeys::key_of(const Context& ctx, const Call& call, std::string& buffer) const {
  std::string_view key;
  switch (by_) {
    case By::kAll:
      break;
    case By::kMetadata:
      key = call.metadata.find(name_).value_or("");
      break;
    case By::kPeer:
      if (const Peer* peer = ctx.find<Peer>()) key = host_of(peer->address, buffer);
      break;
    case By::kMethod:
      key = call.method->name;
      break;
  }
  if (key.size() <= kLongestKey) return key;
  buffer = std::string(key.substr(0, kLongestKey / 2)) + std::string(key.substr(key.size() - kLongestKey / 2));
  return buffer;
}

RateLimitKeys::Shard& RateLimitKeys::shard(std::string_view key) {
  // The upper bits: the map of each shard uses the lower ones.
  return shards_.size() == 1 ? shards_[0] : shards_[(Hash()(key) >> 56) % shards_.size()];
}

RateLimitKeys::Entry& RateLimitKeys::entry(Shard& shard, std::string_view key) {
  auto known = shard.map.find(key);
  if (known == shard.map.end()) {
    const size_t room =
        std::max<size_t>(static_cast<size_t>(entries_.load(std::memory_order_relaxed)) / shards_.size(), 1);
    if (shard.map.size() >= room) {
      // What the oldest held becomes the new one's: when the keys are many, no memory is asked for.
      auto node = shard.map.extract(*shard.by_use.pop_front().key);
      while (shard.map.size() >= room)
        shard.map.erase(*shard.by_use.pop_front().key);  // there is less room than before
      node.key() = key;
      node.mapped().bucket = TokenBucket();
      known = shard.map.insert(std::move(node)).position;
    } else {
      known = shard.map.try_emplace(std::string(key)).first;
    }
    known->second.key = &known->first;
  }
  known->second.unlink();
  shard.by_use.push_back(known->second);
  return known->second;
}

RateLimitKeys::Taken RateLimitKeys::take(std::string_view key, Time now) {
  const double rate = rate_.load(std::memory_order_relaxed);
  const int64_t burst = burst_.load(std::memory_order_relaxed);
  Taken taken;
  Shard& part = shard(key);
  {
    std::lock_guard lock(part.mutex);
    TokenBucket& bucket = entry(part, key).bucket;
    taken.passes = bucket.take(rate, burst, now);
    taken.bucket = bucket;
  }
  if (!taken.passes) refused_.fetch_add(1, std::memory_order_relaxed);
  return taken;
}

void RateLimitKeys::give_back(std::string_view key) {
  Shard& part = shard(key);
  std::lock_guard lock(part.mutex);
  if (auto known = part.map.find(key); known != part.map.end()) known->second.bucket.give_back();
}

int64_t RateLimitKeys::size() const {
  int64_t all = 0;
  for (const Shard& part : shards_) {
    std::lock_guard lock(part.mutex);
    all += static_cast<int64_t>(part.map.size());
  }
  return all;
}

}  // namespace duplex::resilience
