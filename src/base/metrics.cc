#include "duplex/base/metrics.h"

#include <algorithm>
#include <bitset>

namespace duplex {
namespace detail {

constinit thread_local unsigned this_shard = kNoShard;

namespace {

// Which shards have a thread. The lock also orders the last store of a thread before the first of its successor.
struct ShardBook {
  std::mutex mutex;
  std::bitset<kOwnShards> taken;
  static ShardBook& get() {
    static auto* book = new ShardBook;  // lives as long as any thread may
    return *book;
  }
};

struct ShardHolder {
  bool held = false;
  ~ShardHolder() {
    if (!held) return;
    ShardBook& book = ShardBook::get();
    std::lock_guard lock(book.mutex);
    book.taken.reset(this_shard);
    this_shard = kOwnShards;  // what still counts on this thread shares
  }
};

}  // namespace

unsigned take_shard() {
  thread_local ShardHolder holder;
  ShardBook& book = ShardBook::get();
  std::lock_guard lock(book.mutex);
  for (unsigned i = 0; i < kOwnShards; ++i) {
    if (book.taken[i]) continue;
    book.taken.set(i);
    holder.held = true;
    return this_shard = i;
  }
  return this_shard = kOwnShards;
}

}  // namespace detail

namespace {
uint64_t sum_of(const detail::Sharded<detail::CountCell>& cells) {
  uint64_t sum = 0;
  cells.for_each([&](const detail::CountCell& cell) { sum += cell.value.load(std::memory_order_relaxed); });
  return sum;
}
}  // namespace

uint64_t Counter::value() const { return sum_of(cells_); }
int64_t UpDownCounter::value() const { return static_cast<int64_t>(sum_of(cells_)); }

Buckets Buckets::latency() {
  constexpr uint64_t kMs = 1'000'000;
  return {{5 * kMs, 10 * kMs, 25 * kMs, 50 * kMs, 75 * kMs, 100 * kMs, 250 * kMs, 500 * kMs, 750 * kMs, 1000 * kMs,
           2500 * kMs, 5000 * kMs, 7500 * kMs, 10000 * kMs},
          1e-9};
}

Histogram::Snapshot Histogram::read() const {
  Snapshot s;
  s.counts.resize(buckets_.bounds.size() + 1);
  cells_.for_each([&](const detail::HistogramCell& cell) {
    for (size_t i = 0; i < s.counts.size(); ++i) s.counts[i] += cell.counts[i].load(std::memory_order_relaxed);
    s.sum += cell.sum.load(std::memory_order_relaxed);
  });
  // The sum of what was read, so that +Inf equals _count however busy the writers are.
  for (uint64_t n : s.counts) s.count += n;
  return s;
}

}  // namespace duplex
