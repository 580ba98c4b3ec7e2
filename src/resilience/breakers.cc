#include <algorithm>

#include "duplex/resilience/breaker.h"

namespace duplex::resilience {

struct Breakers::Entry {
  Entry(std::string_view m, const Brought& brought) : method(m), breaker(brought.settings), settings(brought.number) {}
  const std::string method;
  CircuitBreaker breaker;
  std::atomic<uint64_t> settings;  // the number of those in force
  Entry* next = nullptr;           // of its list; never changes once it is in it
};

Breakers::Breakers() = default;
Breakers::~Breakers() = default;

Breakers::Brought Breakers::bring(BreakerSettings settings) {
  return {std::move(settings), brought_.fetch_add(1, std::memory_order_relaxed) + 1};
}

CircuitBreaker& Breakers::of(std::string_view method, const Brought& brought) {
  const size_t head = std::hash<std::string_view>()(method) % kHeads;
  Entry* entry = find(method, head);
  if (!entry) entry = &make(method, head, brought);
  if (entry->settings.load(std::memory_order_acquire) < brought.number) {
    std::lock_guard lock(mutex_);
    if (entry->settings.load(std::memory_order_relaxed) < brought.number) {
      entry->breaker.set(brought.settings);
      entry->settings.store(brought.number, std::memory_order_release);
    }
  }
  return entry->breaker;
}

Breakers::Entry* Breakers::find(std::string_view method, size_t head) const {
  for (Entry* entry = heads_[head].load(std::memory_order_acquire); entry; entry = entry->next)
    if (entry->method == method) return entry;
  return nullptr;
}

Breakers::Entry& Breakers::make(std::string_view method, size_t head, const Brought& brought) {
  std::unique_lock lock(mutex_);
  if (Entry* made = find(method, head)) return *made;  // another thread was faster
  if (entries_.size() >= kMost && method != kOthers) {
    lock.unlock();
    const size_t others = std::hash<std::string_view>()(kOthers) % kHeads;
    if (Entry* there = find(kOthers, others)) return *there;
    return make(kOthers, others, brought);
  }
  Entry& entry = *entries_.emplace_back(std::make_unique<Entry>(method, brought));
  entry.next = heads_[head].load(std::memory_order_relaxed);
  heads_[head].store(&entry, std::memory_order_release);
  return entry;
}

std::vector<Breakers::OfMethod> Breakers::snapshot(Time now) const {
  std::vector<OfMethod> all;
  {
    std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) all.push_back({entry->method, entry->breaker.snapshot(now)});
  }
  std::ranges::sort(all, {}, &OfMethod::method);
  return all;
}

}  // namespace duplex::resilience
