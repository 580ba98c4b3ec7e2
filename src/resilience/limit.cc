#include "duplex/resilience/limit.h"

#include <algorithm>

#include "duplex/resilience/event.h"

namespace duplex::resilience {

void Bulkhead::set(const LimitSettings& settings) {
  in_flight_ = settings.in_flight;
  queue_ = settings.queue;
  most_kept_ = std::min(kMostKept, settings.in_flight / kPlacesForOneKept);
  admit_waiting();  // there may be more places than before
}

Bulkhead::Snapshot Bulkhead::snapshot() const {
  const uint64_t state = state_.load();
  Snapshot s;
  s.in_flight = under_way(state);
  threads_.for_each([&](const Thread& thread) { s.in_flight -= thread.kept.load(std::memory_order_relaxed); });
  s.waiting = waiting(state);
  s.settings.in_flight = in_flight_;
  s.settings.queue = queue_;
  s.mean = Duration(mean_.load());
  s.refused = refused_;
  return s;
}

namespace {
// Of what only its own thread changes.
void add(std::atomic<int64_t>& own, int64_t by) {
  own.store(own.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
}  // namespace

Bulkhead::Thread* Bulkhead::here() {
  const unsigned shard = detail::shard();
  return shard < detail::kOwnShards ? &threads_.of(shard) : nullptr;
}

bool Bulkhead::try_enter() {
  Thread* thread = here();
  uint64_t state = state_.load(std::memory_order_relaxed);
  const int64_t limit = in_flight_.load(std::memory_order_relaxed);
  if (thread && waiting(state) == 0 && under_way(state) <= limit && thread->kept.load(std::memory_order_relaxed) > 0) {
    add(thread->kept, -1);
    add(thread->under_way, 1);
    return true;
  }
  while (waiting(state) == 0 && under_way(state) < limit) {
    if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
    if (thread) add(thread->under_way, 1);
    return true;
  }
  return false;
}

bool Bulkhead::take_place() {
  uint64_t state = state_.load();
  while (under_way(state) < in_flight_.load())
    if (state_.compare_exchange_weak(state, state + 1)) return true;
  return false;
}

void Bulkhead::leave(Duration served) {
  Thread* thread = here();
  if (!thread) {
    note(served);
    return give_back(1);
  }
  add(thread->under_way, -1);
  const uint64_t state = state_.load(std::memory_order_relaxed);
  const int64_t kept = thread->kept.load(std::memory_order_relaxed);
  int64_t may_keep = 0;
  if (waiting(state) == 0 && under_way(state) <= in_flight_.load(std::memory_order_relaxed))
    may_keep = std::min(most_kept_.load(std::memory_order_relaxed), thread->under_way.load(std::memory_order_relaxed));
  if (kept < may_keep) {
    thread->kept.store(kept + 1, std::memory_order_relaxed);
    if (++thread->ended % 8 == 0) note(served);  // a sample, for the same reason
    return;
  }
  note(served);
  thread->kept.store(may_keep, std::memory_order_relaxed);
  give_back(kept - may_keep + 1);
}

void Bulkhead::note(Duration served) {
  if (served < Duration::zero()) return;
  // Threads that meet here may lose one of their two samples, which a mean can bear.
  const int64_t mean = mean_.load(std::memory_order_relaxed);
  mean_.store(mean == 0 ? served.count() : mean + (served.count() - mean) / 16, std::memory_order_relaxed);
}

void Bulkhead::give_back(int64_t places) {
  if (places == 0) return;
  if (waiting(state_.fetch_sub(static_cast<uint64_t>(places), std::memory_order_acq_rel)) > 0) admit_waiting();
}

void Bulkhead::admit_waiting() {
  for (;;) {
    Turn* next = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (waits_.empty() || !take_place()) return;
      state_.fetch_sub(kOneWaits);
      next = static_cast<Turn*>(&waits_.pop_front());
      next->entry_ = Entry::kEntered;
    }
    next->wake_anywhere();  // unlinked, so a cancel leaves it to this wake
  }
}

std::optional<Bulkhead::Entry> Bulkhead::decide(Context& ctx) {
  // Since try_enter() looked, a place may have become free, or those who waited may have gone.
  if (waits_.empty() && take_place()) return Entry::kEntered;
  const int64_t before = waiting(state_.load());
  if (before >= queue_) return Entry::kFull;
  if (ctx.deadline() == kNever) return std::nullopt;
  // All places together end in_flight calls in the mean time of one. One of them must end for each call before this
  // one and for itself; and then it has to be served.
  const auto mean = static_cast<double>(mean_.load(std::memory_order_relaxed));
  const double wait = mean * static_cast<double>(before + 1) / static_cast<double>(in_flight_.load());
  if (wait + mean > static_cast<double>(ctx.remaining().count())) return Entry::kTooLate;
  return std::nullopt;
}

bool Bulkhead::Turn::await_suspend(std::coroutine_handle<> who) {
  // What this thread keeps is for others now, or for this call.
  if (Thread* thread = bulkhead_.here()) bulkhead_.give_back(thread->kept.exchange(0, std::memory_order_relaxed));
  std::lock_guard lock(mutex_);
  if (std::optional<Entry> at_once = bulkhead_.decide(ctx_)) {
    entry_ = *at_once;
    if (entry_ != Entry::kEntered) bulkhead_.refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  // Counted first: who leaves from here on sees that somebody waits, and comes for the lock. Who left just before has
  // seen nobody, so if this is the first to wait it looks again.
  bulkhead_.state_.fetch_add(kOneWaits);
  if (bulkhead_.waits_.empty() && bulkhead_.take_place()) {
    bulkhead_.state_.fetch_sub(kOneWaits);
    entry_ = Entry::kEntered;
    return false;
  }
  queued_ = true;
  bulkhead_.waits_.push_back(*this);
  park(ctx_, who);
  return true;
}

Bulkhead::Entry Bulkhead::Turn::await_resume() {
  Entry entry = entry_;
  if (queued_) {
    std::lock_guard lock(mutex_);
    entry = entry_;
    if (entry == Entry::kCancelled) bulkhead_.state_.fetch_sub(kOneWaits);
  }
  if (entry == Entry::kEntered)
    if (Thread* thread = bulkhead_.here()) add(thread->under_way, 1);
  return entry;
}

namespace {

// A place that is given back whatever happens.
class Place {
 public:
  Place(Bulkhead& bulkhead, Context& ctx, const Method& method)
      : bulkhead_(bulkhead), ctx_(ctx), method_(method), began_(ctx.loop().now()) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    const bool streams = method_.caller_streams || method_.service_streams;
    bulkhead_.leave(streams ? Duration(-1) : ctx_.loop().now() - began_);
  }

 private:
  Bulkhead& bulkhead_;
  Context& ctx_;
  const Method& method_;
  const Time began_;
};

class Limited final : public Service {
 public:
  Limited(std::string peer, std::shared_ptr<Bulkhead> memory, std::shared_ptr<Service> next)
      : peer_(std::move(peer)), memory_(std::move(memory)), next_(std::move(next)) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    if (!memory_->try_enter()) {
      Bulkhead::Turn turn(*memory_, ctx);
      const Bulkhead::Entry entry = co_await turn;
      if (entry != Bulkhead::Entry::kEntered) co_return refused(ctx, c, entry);
    }
    Place place(*memory_, ctx, *c.method);
    if (ctx.cancelled()) co_return Outcome::never_sent(ctx.why());  // when its turn had just come
    co_return co_await next_->call(ctx, c);
  }

 private:
  Outcome refused(Context& ctx, const Call& c, Bulkhead::Entry entry) const {
    const Bulkhead::Snapshot now = memory_->snapshot();
    std::string text = peer_ + ": " + std::to_string(now.in_flight) + " calls are under way and " +
                       std::to_string(now.waiting) + " wait";
    if (entry == Bulkhead::Entry::kCancelled)
      return Outcome::never_sent(Status(ctx.why().code(), text + "; while this one did: " + ctx.why().message()));
    if (entry == Bulkhead::Entry::kFull)
      text += ", and the limit is " + std::to_string(now.settings.in_flight) + " and " +
              std::to_string(now.settings.queue) + " (peers." + peer_ + ".limit)";
    else
      text += ": with " + show_duration(now.mean) + " a call, this one would end after its deadline, which is in " +
              show_duration(ctx.remaining());
    report(ctx, Event(Event::Kind::kLimitRefused, peer_, c.method->name, text));
    return Outcome::refused(Status::resource_exhausted(std::move(text)), RefusedBy::kLimit);
  }

  const std::string peer_;
  const std::shared_ptr<Bulkhead> memory_;
  const std::shared_ptr<Service> next_;
};

}  // namespace

Filter limit(std::string peer, LimitSettings settings, std::shared_ptr<Bulkhead> memory) {
  memory->set(settings);
  return [peer = std::move(peer), memory = std::move(memory)](std::shared_ptr<Service> next) {
    return std::make_shared<Limited>(peer, memory, std::move(next));
  };
}

}  // namespace duplex::resilience
