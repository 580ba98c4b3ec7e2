// RingHash: the same key, the same endpoint, as long as there is that endpoint (consistent hashing, as in ketama).
//
// Each endpoint has points on a ring, as many as its weight says; a key belongs to the next point. So an endpoint that
// comes or goes moves its own keys and no others, and a key whose endpoint may not be chosen goes to the next on the
// ring. Points depend on the address alone: every client and every process sends a key to the same endpoint.
#pragma once

#include <string>
#include <string_view>

#include "client/balancer.h"

namespace duplex::client {

// The hash of keys and points: stable over processes and machines.
uint64_t ring_hash(std::string_view text);

class RingHash final : public Balancer {
 public:
  // Points of the heaviest endpoint. Shares differ by about 1/sqrt(256), 6 %.
  static constexpr size_t kPoints = 256;

  void set(const std::vector<Target*>& members, const std::vector<Target*>& choices) override;
  Target* pick(uint64_t key, size_t round, Time now) override;

 private:
  struct Point {
    uint64_t at;
    Target* target;
  };
  struct Member {
    Target* target;
    std::string key;
    double weight;
    friend bool operator==(const Member&, const Member&) = default;
  };
  std::vector<Member> members_;
  std::vector<Point> ring_;
};

}  // namespace duplex::client
