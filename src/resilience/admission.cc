#include "duplex/resilience/admission.h"

#include <algorithm>

#include "duplex/resilience/event.h"
#include "resilience/adaptive_limit.h"
#include "resilience/try_later.h"

namespace duplex::resilience {
namespace {

constexpr Duration kWindow = std::chrono::milliseconds(100);   // at least
constexpr Duration kLongestWindow = std::chrono::seconds(10);  // however slow the calls are
constexpr Duration kFewCallsWindow = std::chrono::seconds(1);  // for fewer than kEnoughCalls
constexpr int64_t kEnoughCalls = 50;                           // for a mean to mean something

int64_t take(std::atomic<int64_t>& counter) { return counter.exchange(0, std::memory_order_relaxed); }

}  // namespace

Admission::Admission(const ServerLimitSettings& settings) { set(settings); }
Admission::~Admission() = default;

void Admission::set(const ServerLimitSettings& settings) {
  std::lock_guard lock(mutex_);
  fixed_ = settings.in_flight;
  if (!settings.adaptive)
    adaptive_.reset();
  else if (adaptive_)
    adaptive_->set(*settings.adaptive);
  else
    adaptive_ = std::make_unique<AdaptiveLimit>(*settings.adaptive);
  by_priority_ = settings.shed == Shed::kByPriority;
  cutoff_ = kPriorities;
  publish_limit();
}

void Admission::publish_limit() {
  int64_t limit = fixed_;
  if (adaptive_) limit = limit ? std::min(limit, adaptive_->limit()) : adaptive_->limit();
  limit_.store(limit, std::memory_order_relaxed);
}

Admission::Snapshot Admission::snapshot() const {
  std::lock_guard lock(mutex_);
  Snapshot s;
  s.in_flight = in_flight_ & kLow;
  s.limit = limit_;
  s.cutoff = cutoff_;
  if (adaptive_) s.usual = adaptive_->usual();
  s.recent = recent_;
  s.shed = all_shed_ + static_cast<uint64_t>(shed_.load());
  s.admitted = all_admitted_ - static_cast<uint64_t>(shed_.load());
  for (const auto& arrived : arrived_) s.admitted += static_cast<uint64_t>(arrived.load());
  return s;
}

// While calls are shed by priority, those of the cutoff's share what those of lower numbers leave. These find room
// above the limit, so that they do not wait for the others to leave; all of them together are fewer than are served, so
// it is needed for moments only. Those of higher numbers find room only if the cutoff was chosen too low.
int64_t Admission::allowed(int priority) const {
  const int64_t limit = limit_.load(std::memory_order_relaxed);
  if (limit == 0) return INT64_MAX;
  const int cutoff = cutoff_.load(std::memory_order_relaxed);
  if (cutoff == kPriorities || priority == cutoff) return limit;
  return priority < cutoff ? limit + limit / 2 + 1 : limit / 2;
}

bool Admission::enter(int priority, Kind kind, Time now) {
  if (now.time_since_epoch().count() >= window_end_.load(std::memory_order_relaxed)) close_window(now);
  arrived_[static_cast<size_t>(priority)].fetch_add(1, std::memory_order_relaxed);
  const int64_t room = allowed(priority);
  // Refused calls should not touch what admitted ones need; so it is looked at first.
  if ((in_flight_.load(std::memory_order_relaxed) & kLow) < room) {
    const int64_t one = kind == Kind::kUnary ? kOneMore + 1 : 1;
    const int64_t before = in_flight_.fetch_add(one, std::memory_order_relaxed) & kLow;
    if (before < room) {
      if (before >= peak_.load(std::memory_order_relaxed)) peak_.store(before + 1, std::memory_order_relaxed);
      if (kind == Kind::kUnary) time_.fetch_sub(in_window(now), std::memory_order_relaxed);
      return true;
    }
    in_flight_.fetch_sub(one, std::memory_order_relaxed);
  }
  shed_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void Admission::leave(Kind kind, bool telling, Time now) {
  if (kind == Kind::kStream) return void(in_flight_.fetch_sub(1, std::memory_order_relaxed));
  in_flight_.fetch_sub(kOneMore + 1, std::memory_order_relaxed);
  time_.fetch_add(in_window(now), std::memory_order_relaxed);
  ended_.fetch_add(telling ? kOneMore + 1 : 1, std::memory_order_relaxed);
}

void Admission::close_window(Time now) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || now.time_since_epoch().count() < window_end_.load(std::memory_order_relaxed)) return;
  const Duration length(in_window(now));
  window_end_.store((now + kWindow).time_since_epoch().count(), std::memory_order_relaxed);
  if (window_start_ == 0) window_start_ = now.time_since_epoch().count();
  if (length < kWindow) return;
  const int64_t enough = adaptive_ ? kEnoughCalls : 0;
  if (length < kFewCallsWindow && (ended_.load(std::memory_order_relaxed) & kLow) < enough) return;

  AdaptiveLimit::Window window;
  window.length = length;
  const int64_t ended = take(ended_), under_way = in_flight_.load(std::memory_order_relaxed);
  window.calls = ended & kLow;
  window.telling = ended / kOneMore;
  // Another loop may be between two of its counts, or still in the window before: an error of a call or two.
  const int64_t time = std::max<int64_t>(take(time_) + under_way / kOneMore * length.count(), 0);
  window_start_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  window.mean = Duration(window.calls ? time / window.calls : 0);
  const int64_t shed = take(shed_);
  window.shed = shed > 0;
  window.peak = std::max(peak_.exchange(0, std::memory_order_relaxed), under_way & kLow);
  std::array<int64_t, kPriorities> arrived{};
  int64_t all = 0;
  for (size_t i = 0; i < arrived.size(); ++i) all += arrived[i] = take(arrived_[i]);
  all_shed_ += static_cast<uint64_t>(shed);
  all_admitted_ += static_cast<uint64_t>(all - shed);

  if (by_priority_) choose_cutoff(arrived, all - shed, shed);
  if (adaptive_) adaptive_->close(window);
  recent_ = window.mean;
  publish_limit();
  // Long enough for calls that began with this limit to end in it.
  const Duration next = std::clamp(2 * window.mean, kWindow, kLongestWindow);
  window_end_.store((now + next).time_since_epoch().count(), std::memory_order_relaxed);
}

// The first priority that did not fit whole into what was taken on, over about a second: the few calls of one window
// would let it jump.
void Admission::choose_cutoff(const std::array<int64_t, kPriorities>& arrived, int64_t admitted, int64_t shed) {
  constexpr double kNew = 0.1;
  lately_admitted_ += (static_cast<double>(admitted) - lately_admitted_) * kNew;
  int cutoff = kPriorities;
  double so_far = 0;
  for (size_t p = 0; p < arrived.size(); ++p) {
    lately_arrived_[p] += (static_cast<double>(arrived[p]) - lately_arrived_[p]) * kNew;
    so_far += lately_arrived_[p];
    if (so_far > lately_admitted_ && cutoff == kPriorities) cutoff = static_cast<int>(p);
  }
  cutoff_.store(shed > 0 ? cutoff : kPriorities, std::memory_order_relaxed);
}

int priority_of(const Metadata& metadata) {
  auto asked = metadata.find("x-priority");
  return asked && asked->size() == 1 && (*asked)[0] >= '0' && (*asked)[0] <= '9' ? (*asked)[0] - '0' : 5;
}

namespace {

// What a call holds; given back whatever happens.
class Place {
 public:
  Place(Admission& admission, const Loop& loop, Admission::Kind kind)
      : admission_(admission), loop_(loop), kind_(kind) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { admission_.leave(kind_, telling_, loop_.now()); }
  void set_telling() { telling_ = true; }

 private:
  Admission& admission_;
  const Loop& loop_;
  const Admission::Kind kind_;
  bool telling_ = false;
};

class Admit final : public Service {
 public:
  Admit(const ServerLimitSettings& settings, std::shared_ptr<Admission> memory, std::shared_ptr<Service> next)
      : by_priority_(settings.shed == Shed::kByPriority),
        memory_(std::move(memory)),
        next_(std::move(next)),
        // Made once: it is given thousands of times a second when there is no time to make it.
        refusal_(try_later(
            "the server has as many calls under way as it can serve in time" +
                (settings.retry_after > Duration::zero() ? "; ask again in " + show_duration(settings.retry_after)
                                                         : std::string()),
            settings.retry_after)) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    const int priority = by_priority_ ? priority_of(c.metadata) : 5;
    const bool streams = c.method->caller_streams || c.method->service_streams;
    const Admission::Kind kind = streams ? Admission::Kind::kStream : Admission::Kind::kUnary;
    if (memory_->enter(priority, kind, ctx.loop().now())) return take_on(ctx, c, kind);
    report(ctx, Event(Event::Kind::kShed, "", c.method->name, refusal_.status.message()));
    return Task<Outcome>::ready(refusal_);
  }

 private:
  Task<Outcome> take_on(Context& ctx, Call& c, Admission::Kind kind) {
    Place place(*memory_, ctx.loop(), kind);
    Outcome outcome = co_await next_->call(ctx, c);
    const Code code = ctx.cancelled() ? ctx.why().code() : outcome.status.code();
    // One whose deadline has passed took at least so long.
    if (code == Code::kOk || code == Code::kDeadlineExceeded) place.set_telling();
    co_return outcome;
  }

  const bool by_priority_;
  const std::shared_ptr<Admission> memory_;
  const std::shared_ptr<Service> next_;
  const Outcome refusal_;
};

}  // namespace

Filter admit(ServerLimitSettings settings, std::shared_ptr<Admission> memory) {
  memory->set(settings);
  return [settings, memory = std::move(memory)](std::shared_ptr<Service> next) {
    return std::make_shared<Admit>(settings, memory, std::move(next));
  };
}

}  // namespace duplex::resilience
