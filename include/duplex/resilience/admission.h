// Admission: which of the calls that come in a server takes on, by how many are under way. (By how often someone calls:
// rate_limit.h.)
//
// A server that takes on more than it can serve serves nobody: each call waits behind all others, its caller gives up,
// and the work is done for nobody. One that refuses the surplus at once keeps serving as much as it can, and as fast as
// it usually does.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "duplex/config/table.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

// A limit that finds itself (src/resilience/adaptive_limit.h says how).
struct AdaptiveSettings {
  int64_t start = 20;  // calls at once, to begin with
  int64_t least = 4;
  int64_t most = 10'000;
  friend bool operator==(const AdaptiveSettings&, const AdaptiveSettings&) = default;
};

enum class Shed : uint8_t {
  kByPriority,  // the metadata `x-priority`, 0 (shed last) to 9 (shed first), 5 without one
  kEvenly,
};

struct ServerLimitSettings {
  std::optional<AdaptiveSettings> adaptive;
  int64_t in_flight = 0;  // a fixed limit; 0: none
  Shed shed = Shed::kByPriority;
  Duration retry_after = std::chrono::seconds(1);  // what a refused caller is told
  friend bool operator==(const ServerLimitSettings&, const ServerLimitSettings&) = default;
};
config::Table<ServerLimitSettings> server_limit_table();

class AdaptiveLimit;

// The calls of a server that are under way, over all loops, and the limit that was found for them. Kept when a
// configuration is loaded anew.
class Admission {
 public:
  static constexpr int kPriorities = 10;

  explicit Admission(const ServerLimitSettings& settings);
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // From any thread. What is under way stays; an adaptive limit goes on from where it is.
  void set(const ServerLimitSettings& settings);

  struct Snapshot {
    int64_t in_flight = 0, limit = 0;  // limit 0: none
    int cutoff = kPriorities;          // calls of this priority are taken in part, of higher numbers hardly; 10: all
    Duration usual{}, recent{};        // how long a call takes when few are under way; and in the last window
    uint64_t admitted = 0, shed = 0;
  };
  Snapshot snapshot() const;

  // What a call does with its place. Streams are counted, but how long they last tells nothing.
  enum class Kind : uint8_t { kUnary, kStream };
  // May a call of that priority be taken on? True: leave() is owed. A few atomic instructions, from any thread.
  bool enter(int priority, Kind kind, Time now);
  // `telling`: it did not fail at once, nor because its caller left.
  void leave(Kind kind, bool telling, Time now);

 private:
  static constexpr int64_t kOneMore = int64_t{1} << 32;
  static constexpr int64_t kLow = kOneMore - 1;
  int64_t allowed(int priority) const;
  int64_t in_window(Time now) const {
    return now.time_since_epoch().count() - window_start_.load(std::memory_order_relaxed);
  }
  void close_window(Time now);
  void choose_cutoff(const std::array<int64_t, kPriorities>& arrived, int64_t admitted, int64_t shed);
  void publish_limit();

  alignas(64) std::atomic<int64_t> in_flight_{0};  // of any kind in the lower half, unary in the upper
  alignas(64) std::atomic<int64_t> limit_{0};      // as it holds now; 0: none
  std::atomic<int> cutoff_{kPriorities};
  std::atomic<int64_t> window_start_{0}, window_end_{0};  // ns of Time

  // Of this window. time_: the ends less the beginnings of unary calls, in ns from its start; with the span of the
  // window for each that is still under way it is the time that all of them together have spent in it.
  alignas(64) std::atomic<int64_t> time_{0};
  std::atomic<int64_t> ended_{0};  // unary calls: all in the lower half, the telling ones in the upper
  std::atomic<int64_t> peak_{0}, shed_{0};
  std::array<std::atomic<int64_t>, kPriorities> arrived_{};

  mutable std::mutex mutex_;  // guards what follows; held by who closes a window, and nobody waits for that
  std::unique_ptr<AdaptiveLimit> adaptive_;  // null: fixed
  int64_t fixed_ = 0;
  bool by_priority_ = true;
  double lately_admitted_ = 0;  // of a window, over the last few, as are those that arrived
  std::array<double, kPriorities> lately_arrived_{};
  Duration recent_{};
  uint64_t all_admitted_ = 0, all_shed_ = 0;
};

// The priority a call asks for: 5 unless `x-priority` is one digit.
int priority_of(const Metadata& metadata);

// Sets `memory` to `settings`. Refuses with RESOURCE_EXHAUSTED (429), google.rpc.RetryInfo, `retry-after` and gRPC's
// pushback, and reports kShed. Streams count as calls under way, but how long they last tells nothing.
//
// Callers choose their priority: where strangers call, the edge must set `x-priority`, or `shed` be kEvenly.
Filter admit(ServerLimitSettings settings, std::shared_ptr<Admission> memory);

}  // namespace duplex::resilience
