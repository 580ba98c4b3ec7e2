#include <algorithm>

#include "duplex/resilience/breaker.h"
#include "duplex/resilience/event.h"

namespace duplex::resilience {
namespace {

using State = CircuitBreaker::State;

bool streams(const Method& method) { return method.caller_streams || method.service_streams; }

std::string seconds(Duration span) { return show_duration(std::max<Duration>(span, std::chrono::milliseconds(1))); }

class Guarded final : public Service {
 public:
  Guarded(std::string peer, BreakerSettings settings, std::shared_ptr<Breakers> memory, std::shared_ptr<Service> next)
      : peer_(std::move(peer)),
        failures_(settings.failures),
        memory_(std::move(memory)),
        brought_(memory_->bring(std::move(settings))),
        next_(std::move(next)) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    // Nobody wants it any more: that tells nothing of the peer.
    if (ctx.cancelled()) return Task<Outcome>::ready(Outcome::never_sent(ctx.why()));
    CircuitBreaker& breaker = memory_->of(c.method->name, brought_);
    const CircuitBreaker::Admission admission = breaker.try_acquire(ctx.loop().now());
    if (admission.changes) tell(ctx, *c.method, breaker, admission.changes);
    if (!admission.admitted) return Task<Outcome>::ready(refuse(ctx, *c.method, breaker));
    return admitted(ctx, c, breaker, admission.permit);
  }

 private:
  // The place that a call has: given back if it ends without an Outcome, by an exception.
  class Place {
   public:
    Place(Context& ctx, CircuitBreaker& breaker, CircuitBreaker::Permit permit)
        : ctx_(ctx), breaker_(breaker), permit_(permit), began_(ctx.loop().now()) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (!ended_) end(CircuitBreaker::Verdict::kUncounted, false);
    }
    CircuitBreaker::Changes end(CircuitBreaker::Verdict verdict, bool timed) {
      ended_ = true;
      const Time now = ctx_.loop().now();
      return breaker_.record(permit_, verdict, timed ? now - began_ : Duration::zero(), now);
    }

   private:
    Context& ctx_;
    CircuitBreaker& breaker_;
    const CircuitBreaker::Permit permit_;
    const Time began_;
    bool ended_ = false;
  };

  Task<Outcome> admitted(Context& ctx, Call& c, CircuitBreaker& breaker, CircuitBreaker::Permit permit) {
    Place place(ctx, breaker, permit);
    Outcome outcome = co_await next_->call(ctx, c);
    // Of a stream, how long it took says nothing.
    const CircuitBreaker::Changes changes = place.end(judge(ctx, outcome), !streams(*c.method));
    if (changes) tell(ctx, *c.method, breaker, changes);
    co_return outcome;
  }

  CircuitBreaker::Verdict judge(Context& ctx, const Outcome& outcome) const {
    using enum CircuitBreaker::Verdict;
    if (outcome.refused_by != RefusedBy::kNobody) return kUncounted;
    // An exchange of plain HTTP that went through is OK whatever its status, which `failures` may name.
    if (outcome.status.is_ok()) return failures_.match(outcome) ? kFailed : kGood;
    if (ctx.cancelled() && ctx.why().code() != Code::kDeadlineExceeded) return kUncounted;
    return failures_.match(outcome) ? kFailed : kGood;
  }

  Outcome refuse(Context& ctx, const Method& method, CircuitBreaker& breaker) {
    const Time now = ctx.loop().now();
    const CircuitBreaker::Snapshot s = breaker.snapshot(now);
    report(ctx, Event(Event::Kind::kBreakerRefused, peer_, method.name));
    std::string text = peer_ + ": the circuit breaker of " + method.name;
    std::chrono::seconds wait(1);
    if (s.state == State::kOpen) {
      const Duration left = *s.next_change - now;
      wait = std::max(wait, std::chrono::ceil<std::chrono::seconds>(left));
      text += " is open for another " + seconds(left);
    } else {
      text += " tries as many calls as it may and waits for their end,";
    }
    text += " after " + s.opening.text();
    Outcome outcome = Outcome::refused(Status::unavailable(std::move(text)), RefusedBy::kBreaker);
    outcome.trailers.add("retry-after", std::to_string(wait.count()));
    return outcome;
  }

  void tell(Context& ctx, const Method& method, CircuitBreaker& breaker, CircuitBreaker::Changes changes) {
    const CircuitBreaker::Snapshot s = breaker.snapshot(ctx.loop().now());
    if (changes.opened) report(ctx, Event(Event::Kind::kBreakerOpened, peer_, method.name, s.opening.text()));
    if (changes.half_opened) report(ctx, Event(Event::Kind::kBreakerHalfOpened, peer_, method.name));
    if (changes.closed) report(ctx, Event(Event::Kind::kBreakerClosed, peer_, method.name));
  }

  const std::string peer_;
  const Causes failures_;
  const std::shared_ptr<Breakers> memory_;
  const Breakers::Brought brought_;
  const std::shared_ptr<Service> next_;
};

}  // namespace

Filter breaker(std::string peer, BreakerSettings settings, std::shared_ptr<Breakers> memory) {
  if (!memory) memory = std::make_shared<Breakers>();
  return [peer = std::move(peer), settings = std::move(settings),
          memory = std::move(memory)](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Guarded>(peer, settings, memory, std::move(next));
  };
}

}  // namespace duplex::resilience
