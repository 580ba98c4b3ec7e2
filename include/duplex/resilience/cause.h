// Cause: which outcomes a rule is about, as a configuration names them: `on: [UNAVAILABLE, 503, open]`.
#pragma once

#include <string>
#include <vector>

#include "duplex/config/kind.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct Cause {
  enum class Kind : uint8_t {
    kCode,   // a gRPC status code: UNAVAILABLE
    kHttp,   // an HTTP status that the peer answered, 400 to 599: 503
    kOpen,   // our own breaker refused the call: open
    kLimit,  // our own limit of calls in flight did: limit
  };
  Kind kind = Kind::kCode;
  int value = 0;
  static Cause of(Code code) { return {Kind::kCode, static_cast<int>(code)}; }
  static Cause http(int status) { return {Kind::kHttp, status}; }
  friend bool operator==(const Cause&, const Cause&) = default;
};

config::Kind<Cause> cause();

// A list of causes, for a quick look. What our own side refused matches kOpen and kLimit only, never a code: a rule
// that is about the peer's failures does not see it.
class Causes {
 public:
  Causes() = default;
  explicit Causes(const std::vector<Cause>& list);
  bool match(const Outcome& outcome) const;
  bool has(Code code) const { return codes_ >> static_cast<unsigned>(code) & 1; }

 private:
  uint32_t codes_ = 0;
  std::vector<int> http_;
  bool open_ = false, limit_ = false;
};

}  // namespace duplex::resilience
