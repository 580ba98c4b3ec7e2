// Metrics: counters, gauges and histograms that cost a few nanoseconds to move, and their Prometheus text.
//
//   Registry registry;
//   auto& calls = registry.counters("shop_orders_total", "Orders taken.", {"country"});
//   Counter& german = calls.with({"de"});     // once: takes a lock
//   german.add();                             // on the way of a call: one plain store in this thread's own cache line
//   std::string page = registry.render();
//
// Each thread has a shard of every metric it moves; reading sums them. Nothing is ever reset, so a counter that a
// reload asks for again under its name goes on where it was.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace duplex {

namespace detail {

// So many threads have a shard to themselves; all further ones share the last, with locked instructions.
inline constexpr unsigned kOwnShards = 32;
inline constexpr unsigned kNoShard = ~0u;
extern constinit thread_local unsigned this_shard;
unsigned take_shard();
inline unsigned shard() { return this_shard != kNoShard ? this_shard : take_shard(); }

inline void move_cell(std::atomic<uint64_t>& cell, uint64_t by, unsigned shard) {
  if (shard < kOwnShards)
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  else
    cell.fetch_add(by, std::memory_order_relaxed);
}

// A Cell a shard, made when its thread first needs it.
template <class Cell>
class Sharded {
 public:
  Sharded() = default;
  Sharded(const Sharded&) = delete;
  Sharded& operator=(const Sharded&) = delete;
  ~Sharded() {
    for (auto& cell : cells_) delete cell.load(std::memory_order_relaxed);
  }
  Cell& of(unsigned shard) {
    Cell* cell = cells_[shard].load(std::memory_order_acquire);
    return cell ? *cell : make(shard);
  }
  template <class F>
  void for_each(F f) const {
    for (auto& cell : cells_)
      if (const Cell* c = cell.load(std::memory_order_acquire)) f(*c);
  }

 private:
  Cell& make(unsigned shard) {
    auto made = std::make_unique<Cell>();
    Cell* there = nullptr;  // only in the shared shard may another thread have been faster
    if (!cells_[shard].compare_exchange_strong(there, made.get(), std::memory_order_acq_rel)) return *there;
    return *made.release();
  }
  std::array<std::atomic<Cell*>, kOwnShards + 1> cells_{};
};

struct alignas(64) CountCell {
  std::atomic<uint64_t> value{0};
};

inline constexpr size_t kMaxBounds = 22;
struct alignas(64) HistogramCell {
  std::array<std::atomic<uint64_t>, kMaxBounds + 1> counts{};
  std::atomic<uint64_t> sum{0};
};

}  // namespace detail

// Only grows.
class Counter {
 public:
  void add(uint64_t by = 1) {
    unsigned shard = detail::shard();
    detail::move_cell(cells_.of(shard).value, by, shard);
  }
  uint64_t value() const;

 private:
  detail::Sharded<detail::CountCell> cells_;
};

// Goes up and down in steps, from any thread: calls in flight. Sharded like a Counter.
class UpDownCounter {
 public:
  void add(int64_t by) {
    unsigned shard = detail::shard();
    detail::move_cell(cells_.of(shard).value, static_cast<uint64_t>(by), shard);
  }
  int64_t value() const;

 private:
  detail::Sharded<detail::CountCell> cells_;
};

// Is set, now and then: the state of a breaker, the size of a pool.
class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// The upper bounds of a histogram's buckets, in the integer unit that is observed, and what one of it is in the unit
// that is shown: {{5'000'000, ...}, 1e-9} observes nanoseconds and shows seconds. At most 22, ascending.
struct Buckets {
  std::vector<uint64_t> bounds;
  double scale = 1;

  // OpenTelemetry's for durations (semantic conventions, http.server.request.duration): .005 to 10 s, observed in ns.
  static Buckets latency();
  friend bool operator==(const Buckets&, const Buckets&) = default;
};

class Histogram {
 public:
  explicit Histogram(Buckets buckets) : buckets_(std::move(buckets)) {}
  void observe(uint64_t value) {
    size_t bucket = 0;
    while (bucket < buckets_.bounds.size() && value > buckets_.bounds[bucket]) ++bucket;
    unsigned shard = detail::shard();
    detail::HistogramCell& cell = cells_.of(shard);
    detail::move_cell(cell.counts[bucket], 1, shard);
    detail::move_cell(cell.sum, value, shard);
  }

  struct Snapshot {
    std::vector<uint64_t> counts;  // a bucket each, not cumulative; the last has no bound
    uint64_t count = 0, sum = 0;   // sum in the observed unit
  };
  Snapshot read() const;
  const Buckets& buckets() const { return buckets_; }

 private:
  const Buckets buckets_;
  detail::Sharded<detail::HistogramCell> cells_;
};

// The series of one name, told apart by label values.
class MetricFamily {
 public:
  // What does not fit gathers in one series with the label otel_metric_overflow="true" (OpenTelemetry's limit and
  // name).
  static constexpr size_t kMaxSeries = 2000;
  virtual ~MetricFamily() = default;
  virtual void render(std::string& out) const = 0;

 protected:
  MetricFamily(std::string name, std::string help, std::vector<std::string> labels)
      : name_(std::move(name)), help_(std::move(help)), labels_(std::move(labels)) {}
  const std::string name_, help_;
  const std::vector<std::string> labels_;
};

template <class T>
class Family final : public MetricFamily {
 public:
  using Make = std::function<std::unique_ptr<T>()>;
  Family(std::string name, std::string help, std::vector<std::string> labels, Make make)
      : MetricFamily(std::move(name), std::move(help), std::move(labels)), make_(std::move(make)) {}

  // The series with these values, one a label, in the labels' order; made at first use, stays at its address. Takes a
  // lock: keep the reference. Never give it what a peer can choose freely (paths, users, error texts).
  T& with(std::initializer_list<std::string_view> values);

  void render(std::string& out) const override;

 private:
  const Make make_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<T>, std::less<>> series_;  // by the labels as they stand between the braces
  std::unique_ptr<T> overflow_;
};

// All metrics of a server. Asked again for a name it gives the family that is there; asked for it with another type,
// other labels or a name that Prometheus does not allow, it aborts and says so, since that is a mistake in the program.
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A counter's name ends in "_total".
  Family<Counter>& counters(std::string_view name, std::string_view help, std::vector<std::string> labels = {});
  Family<UpDownCounter>& up_down_counters(std::string_view name, std::string_view help,
                                          std::vector<std::string> labels = {});
  Family<Gauge>& gauges(std::string_view name, std::string_view help, std::vector<std::string> labels = {});
  // A name ends in the unit that is shown: "_seconds", "_bytes".
  Family<Histogram>& histograms(std::string_view name, std::string_view help, std::vector<std::string> labels,
                                Buckets buckets = Buckets::latency());

  // The page of /metrics: Prometheus text format 0.0.4, families by name.
  std::string render() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  template <class T>
  Family<T>& family(std::string_view name, std::string_view help, std::vector<std::string> labels,
                    std::string signature, typename Family<T>::Make make);
  struct Entry {
    std::unique_ptr<MetricFamily> family;
    std::string signature;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> families_;
};

extern template class Family<Counter>;
extern template class Family<UpDownCounter>;
extern template class Family<Gauge>;
extern template class Family<Histogram>;

}  // namespace duplex
