#include "client/ring_hash.h"

#include <algorithm>
#include <cmath>

namespace duplex::client {

// FNV-1a, and murmur3's finaliser, since FNV's upper bits say little about the last octets.
uint64_t ring_hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

// An ejection changes the choices only: the ring stays.
void RingHash::set(const std::vector<Target*>& members, const std::vector<Target*>&) {
  std::vector<Member> now;
  double heaviest = 0;
  for (Target* target : members) {
    now.push_back({target, target->key, target->weight});
    heaviest = std::max(heaviest, target->weight);
  }
  if (now == members_) return;
  members_ = std::move(now);
  ring_.clear();
  for (const Member& member : members_) {
    const double wanted = std::round(static_cast<double>(kPoints) * member.weight / heaviest);
    const size_t points = std::max<size_t>(1, static_cast<size_t>(wanted));
    for (size_t i = 0; i < points; ++i)
      ring_.push_back({ring_hash(member.key + "#" + std::to_string(i)), member.target});
  }
  std::sort(ring_.begin(), ring_.end(),
            [](const Point& a, const Point& b) { return a.at != b.at ? a.at < b.at : a.target->key < b.target->key; });
}

// The round'th of those that may be chosen, from the key on.
Target* RingHash::pick(uint64_t key, size_t round, Time) {
  auto first = std::lower_bound(ring_.begin(), ring_.end(), key, [](const Point& p, uint64_t at) { return p.at < at; });
  const size_t from = static_cast<size_t>(first - ring_.begin());
  std::vector<Target*> passed;  // takes memory only in further rounds
  Target* last = nullptr;
  for (size_t i = 0; i < ring_.size(); ++i) {
    Target* target = ring_[(from + i) % ring_.size()].target;
    if (!target->chosen || std::find(passed.begin(), passed.end(), target) != passed.end()) continue;
    last = target;
    if (passed.size() == round) return target;
    passed.push_back(target);
  }
  return last;
}

}  // namespace duplex::client
