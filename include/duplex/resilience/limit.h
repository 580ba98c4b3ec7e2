// Limit: how many calls to a peer may be under way at once (a bulkhead), and how many more may wait for their turn.
//
// A peer that has become slow would otherwise hold ever more calls of ours, with their memory, their callers' patience
// and the places of calls to peers that work. What would wait in vain is refused at once, so that its caller can still
// do something else: another endpoint, a fallback, an honest error.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "duplex/base/metrics.h"
#include "duplex/config/table.h"
#include "duplex/runtime/channel.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct LimitSettings {
  int64_t in_flight = 200;
  int64_t queue = 50;  // calls that wait; one that cannot be served before its deadline is refused at once
};
config::Table<LimitSettings> limit_table();

// The places for calls to one peer, and the queue before them: one a peer, for all loops. Kept when a configuration is
// loaded anew.
class Bulkhead {
 public:
  explicit Bulkhead(const LimitSettings& settings) { set(settings); }
  Bulkhead(const Bulkhead&) = delete;
  Bulkhead& operator=(const Bulkhead&) = delete;

  // From any thread. Calls that are under way or wait stay so: with fewer places than before, the next calls wait until
  // enough of them have ended.
  void set(const LimitSettings& settings);

  struct Snapshot {
    int64_t in_flight = 0, waiting = 0;
    LimitSettings settings;
    Duration mean{};  // how long a call is under way, of late
    uint64_t refused = 0;
  };
  Snapshot snapshot() const;

  // Takes a place if one is free and nobody waits for it. From any thread.
  bool try_enter();
  // Gives a place back, to the call that has waited longest if there is one. On the thread that took it. `served`: how
  // long the call was under way; negative if that tells nothing about the next ones, as with a stream.
  void leave(Duration served);

  enum class Entry : uint8_t {
    kEntered,    // leave() is owed
    kFull,       // the queue holds no more
    kTooLate,    // its turn, and then the mean time of a call, would come after the deadline
    kCancelled,  // while it waited: see the Context
  };
  // `co_await`: waits for a place behind those who came first, on whatever loop they are.
  class Turn final : public CrossWait {
   public:
    Turn(Bulkhead& bulkhead, Context& ctx) : CrossWait(bulkhead.mutex_, ctx), bulkhead_(bulkhead) {}
    bool await_ready() const { return ctx_.cancelled(); }
    bool await_suspend(std::coroutine_handle<> who);
    Entry await_resume();

   private:
    friend class Bulkhead;
    Bulkhead& bulkhead_;
    Entry entry_ = Entry::kCancelled;
    bool queued_ = false;
  };

 private:
  // state_ is one word, so that who leaves cannot miss who has begun to wait: under way in its lower half, waiting in
  // the upper.
  static constexpr uint64_t kOneWaits = uint64_t{1} << 32;
  static int64_t under_way(uint64_t state) { return static_cast<int64_t>(state & (kOneWaits - 1)); }
  static int64_t waiting(uint64_t state) { return static_cast<int64_t>(state / kOneWaits); }

  // A place that was given back may stay with its thread, for the next call there, so that threads do not meet at one
  // cache line twice a call. There are at most as many of them as the thread has calls under way, and few against all
  // places; others may find the last of these taken for as long as such a call takes. Kept ones count as under way.
  struct alignas(64) Thread {
    std::atomic<int64_t> kept{0}, under_way{0};
    uint32_t ended = 0;
  };
  static constexpr int64_t kMostKept = 4, kPlacesForOneKept = 64;

  Thread* here();     // null: more threads than have one of their own
  bool take_place();  // counts one more under way if there is room
  void give_back(int64_t places);
  void note(Duration served);
  std::optional<Entry> decide(Context& ctx);  // what can be told at once, with mutex_ held; nullopt: it may wait
  void admit_waiting();

  std::atomic<uint64_t> state_{0};
  std::atomic<int64_t> in_flight_{0}, queue_{0}, most_kept_{0};
  detail::Sharded<Thread> threads_;
  std::atomic<int64_t> mean_{0};  // ns; 0: no call has ended yet
  std::atomic<uint64_t> refused_{0};
  std::mutex mutex_;
  List<CrossWait, CrossTag> waits_;  // guarded by mutex_
};

// Sets `memory` to `settings`. Refuses with RESOURCE_EXHAUSTED and RefusedBy::kLimit, and reports kLimitRefused.
Filter limit(std::string peer, LimitSettings settings, std::shared_ptr<Bulkhead> memory);

}  // namespace duplex::resilience
