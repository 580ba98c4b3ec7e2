#include "duplex/client/remote.h"

#include <algorithm>

#include "client/discovery.h"
#include "client/health_check.h"
#include "client/ring_hash.h"
#include "client/roster.h"
#include "duplex/base/ids.h"
#include "duplex/base/random.h"
#include "duplex/resilience/backoff.h"
#include "duplex/resilience/breaker.h"
#include "duplex/resilience/event.h"
#include "duplex/service/pipe.h"

namespace duplex::client {
namespace {

// Notes whether anything was taken: a stream that was begun cannot be begun again.
class Untouched final : public Source {
 public:
  explicit Untouched(Source& in) : in_(in) {}
  Task<NextResult> next(Context& ctx) override {
    touched_ = true;
    return in_.next(ctx);
  }
  const Metadata& trailers() const override { return in_.trailers(); }
  bool touched() const { return touched_; }

 private:
  Source& in_;
  bool touched_ = false;
};

struct Counted {
  size_t& n;
  explicit Counted(size_t& count) : n(count) { ++n; }
  ~Counted() { --n; }
};

// What speaks against an endpoint is what speaks against a peer to its breaker.
const resilience::Causes& failures() {
  static const resilience::Causes kFailures(resilience::BreakerSettings().failures);
  return kFailures;
}

// An exchange of plain HTTP that went through is OK whatever its status; a 5xx speaks against the endpoint all the same
// (as Envoy's consecutive_5xx has it).
bool is_failure(const Outcome& outcome) {
  return outcome.status.is_ok() ? outcome.http_status >= 500 : failures().match(outcome);
}

}  // namespace

// A call on a target, which is there as long as it has one.
class Remote::OnTarget {
 public:
  OnTarget(Remote& remote, Target& target) : remote_(remote), target_(target) { ++target_.calls; }
  ~OnTarget() {
    if (--target_.calls == 0 && !target_.wanted) remote_.drop_unwanted();
  }
  OnTarget(const OnTarget&) = delete;

 private:
  Remote& remote_;
  Target& target_;
};

Remote::Remote(std::string name, std::string_view address, Resolver* resolver, MakeEndpoint make_endpoint,
               BalanceSettings balance, Scope* background)
    : name_(std::move(name)),
      settings_(std::move(balance)),
      make_endpoint_(std::move(make_endpoint)),
      background_(background),
      discovery_(std::make_unique<Discovery>(name_, address, resolver)),
      roster_(std::make_unique<Roster>(settings_, discovery_->groups(), fast_random())),
      mistake_(discovery_->mistake()) {
  constexpr std::string_view kMetadata = "metadata:";
  if (mistake_.is_ok()) mistake_ = check(name_, settings_);
  if (settings_.policy == BalancePolicy::kRingHash && mistake_.is_ok()) hash_ = settings_.hash.substr(kMetadata.size());
}

Remote::~Remote() = default;

Target& Remote::target_of(const Address& address, size_t group) {
  std::string key = address.to_string();
  for (auto& target : targets_)
    if (target->group == group && target->key == key) return *target;
  auto made = std::make_unique<Target>();
  made->key = std::move(key);
  made->group = group;
  made->wanted = false;
  made->endpoint = make_endpoint_(address);
  targets_.push_back(std::move(made));
  watch_health(*targets_.back());
  return *targets_.back();
}

void Remote::set_targets(Context& ctx, const Finding& finding) {
  for (auto& target : targets_) target->wanted = false;
  std::vector<Target*> members;
  for (const Found& found : finding.endpoints) {
    Target& target = target_of(found.address, found.group);
    if (target.wanted) {  // named twice
      target.weight += found.weight;
      target.priority = std::min(target.priority, found.priority);
      continue;
    }
    target.wanted = true;
    target.weight = found.weight;
    target.priority = found.priority;
    members.push_back(&target);
  }
  roster_->set(members, ctx.loop().now());
  drop_unwanted();
  tell(ctx);
}

void Remote::watch_health(Target& target) {
  if (!settings_.health || !background_ || closed_) return;
  target.check = std::make_shared<HealthCheck>(*settings_.health);
  auto verdict = [this, at = &target](Context& ctx, bool healthy, const Status& bad) {
    roster_->set_healthy(*at, healthy, bad.message(), ctx.loop().now());
    tell(ctx);
  };
  HealthCheck::start(target.check, *background_, target.endpoint->service(), std::move(verdict));
}

// An endpoint that the name no longer has goes when no call can be on it.
void Remote::drop_unwanted() {
  for (auto& target : targets_) {
    if (target->wanted || target->calls > 0) continue;
    if (target->check) target->check->stop();
    target->endpoint->close(Status::unavailable("the name has other addresses now"));
    retired_.push_back(std::move(target));
  }
  std::erase(targets_, nullptr);
  std::erase_if(retired_, [](const auto& t) { return t->endpoint->idle() && !(t->check && t->check->running()); });
}

Task<Status> Remote::find_now(Context& ctx) {
  Result<Finding> finding = co_await discovery_->find(ctx);
  std::string complaint;
  if (!finding && targets_.empty()) co_return finding.error();
  if (closed_) co_return Status::unavailable("the client is closed");
  if (finding) {
    set_targets(ctx, *finding);
    complaint = finding->complaint.message();
  }
  // Once a mistake, not once a second.
  if (complaint != complaint_ && !ctx.cancelled()) {
    complaint_ = complaint;
    if (!complaint.empty())
      resilience::report(ctx, resilience::Event(resilience::Event::Kind::kStaleAddresses, name_, "",
                                                complaint + "; the endpoints that are known stay"));
  }
  co_return Status();
}

Task<void> Remote::find_beside(Context& ctx) {
  Status ignored = co_await find_now(ctx);  // what failed is told, or by the next call that finds nothing
  finding_beside_ = false;
}

Task<Status> Remote::find_targets(Context& ctx, bool all_failed) {
  if (targets_.empty() || all_failed || !background_) return find_now(ctx);
  if (!finding_beside_) {
    finding_beside_ = true;
    background_->spawn([this](Context& own) { return find_beside(own); });
  }
  return Task<Status>::ready(Status());
}

uint64_t Remote::key_of(const Call& call) const {
  if (hash_.empty()) return 0;
  if (auto value = call.metadata.find(hash_)) return ring_hash(*value);
  return fast_random();
}

bool Remote::all_failing() const {
  return std::all_of(targets_.begin(), targets_.end(), [](auto& t) { return t->endpoint->failing(); });
}

// What is learnt of the endpoint. A call that somebody broke off says nothing about it, but for a deadline's end.
void Remote::ended(Context& ctx, Target& target, const Call& call, const Outcome& outcome, Time began) {
  ++target.total;
  const bool broken_off = ctx.cancelled() && ctx.why().code() != Code::kDeadlineExceeded;
  const bool failure = !broken_off && is_failure(outcome);
  target.failures += failure;
  if (targets_.size() == 1 || (outcome.unsent && !failure)) return;
  const Time now = ctx.loop().now();
  const bool unary = !call.method->caller_streams && !call.method->service_streams;
  if (broken_off) {
    if (unary) target.latency.observe_at_least(now - began, now);
  } else if (failure) {
    if (unary) target.latency.observe_failure(now - began, now);
    roster_->failed(target, now);
    tell(ctx);
  } else {
    if (unary) target.latency.observe(now - began, now);
    roster_->succeeded(target);
  }
}

void Remote::tell(Context& ctx) {
  using Kind = resilience::Event::Kind;
  if (!roster_->has_changes()) return;
  for (auto& change : roster_->take_changes())
    resilience::report(
        ctx, resilience::Event(change.out ? Kind::kEjected : Kind::kReturned, name_, "", std::move(change.text)));
}

// Until the first of the endpoints is tried again, or a growing time where none says when that is.
Task<Status> Remote::wait_reachable(Context& ctx, int round) {
  static constexpr resilience::BackoffSettings kBackoff{.base = std::chrono::milliseconds(50),
                                                        .cap = std::chrono::seconds(1)};
  constexpr Duration kLeast = std::chrono::milliseconds(1);
  const Time now = ctx.loop().now();
  Time until = kNever;
  for (auto& target : targets_)
    if (Time again = target->endpoint->failing_until(); again > now) until = std::min(until, again);
  if (until == kNever) until = after(now, resilience::backoff(kBackoff, round, random_unit()));
  until = std::max(until, after(now, kLeast));
  co_return co_await sleep_until(ctx, until);
}

Task<Outcome> Remote::call(Context& ctx, Call& c) {
  if (!mistake_.is_ok()) co_return Outcome::never_sent(mistake_);
  Counted counted(in_flight_);
  // A single request is kept for another attempt; a stream can be tried again only while nothing of it was taken.
  std::optional<Message> request;
  if (!c.method->caller_streams) {
    NextResult m = co_await c.in->next(ctx);
    if (!m) co_return Outcome::never_sent(m.error());
    request = std::move(*m);
  }
  std::optional<Route> own;
  Route* route = nullptr;  // looked for when there is something to choose
  const uint64_t key = key_of(c);
  bool all_failed = false;
  int waits = 0;
  for (size_t attempt = 0;; ++attempt) {
    Outcome outcome;
    bool touched = false;
    Status found;
    if (all_failed || targets_.empty() || !discovery_->fresh(ctx.loop().now()))
      found = co_await find_targets(ctx, all_failed);
    const Time now = ctx.loop().now();
    Target* target = roster_->only();
    if (!target && found.is_ok()) {
      if (!route) route = ctx.find<Route>();
      if (!route) route = &own.emplace();
      target = roster_->pick(key, *route, now);
      if (roster_->has_changes()) tell(ctx);
    }
    if (!found.is_ok()) {
      outcome = Outcome::never_sent(found);
    } else if (!target) {
      outcome = Outcome::never_sent(
          Status::unavailable(name_ + ": none of its " + std::to_string(targets_.size()) + " endpoints is healthy"));
    } else {
      OnTarget on_target(*this, *target);
      if (route) route->use(target);
      if (request) {
        One in(*request);
        Call again(*c.method, c.metadata, in, *c.out);
        outcome = co_await target->endpoint->service().call(ctx, again);
      } else {
        Untouched in(*c.in);
        Call again(*c.method, c.metadata, in, *c.out);
        outcome = co_await target->endpoint->service().call(ctx, again);
        touched = in.touched();
      }
      ended(ctx, *target, c, outcome, now);
    }
    if (!outcome.unsent || touched || ctx.cancelled() || outcome.status.code() == Code::kResourceExhausted)
      co_return outcome;
    all_failed = !targets_.empty() && all_failing() && discovery_->forget();
    if (target && attempt < targets_.size()) continue;
    // No endpoint has taken it.
    Route* wanted = ctx.find<Route>();
    if (!wanted || !wanted->wait_for_ready || outcome.status.code() == Code::kInvalidArgument) co_return outcome;
    Status waited = co_await wait_reachable(ctx, ++waits);
    if (!waited.is_ok())
      co_return Outcome::never_sent(Status(waited.code(), waited.message() + "; " + outcome.status.message()));
    attempt = 0;
  }
}

std::vector<EndpointState> Remote::snapshot(Time now) const {
  std::vector<EndpointState> all;
  for (const auto& target : targets_) {
    EndpointState state;
    state.address = target->key;
    state.weight = target->weight;
    state.group = target->group;
    state.priority = target->priority;
    state.draining = !target->wanted;
    state.reachable = !target->endpoint->failing();
    state.healthy = target->healthy;
    if (target->ejected && target->ejected_until > now) state.ejected_for = target->ejected_until - now;
    state.in_flight = target->calls;
    state.calls = target->total;
    state.failures = target->failures;
    state.latency = Duration(static_cast<int64_t>(target->latency.cost(now)));
    all.push_back(std::move(state));
  }
  return all;
}

void Remote::close(const Status& why) {
  closed_ = true;
  for (auto& target : targets_) {
    if (target->check) target->check->stop();
    target->endpoint->close(why);
  }
}

}  // namespace duplex::client
