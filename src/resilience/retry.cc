#include "duplex/resilience/retry.h"

#include <algorithm>

#include "duplex/base/random.h"
#include "duplex/resilience/event.h"
#include "duplex/runtime/wait.h"
#include "resilience/attempt.h"
#include "resilience/commit.h"
#include "resilience/replay.h"
#include "resilience/retry_after.h"

namespace duplex::resilience {
namespace {

// per_try of an attempt whose reply is a stream: that may last, so the limit holds until it has begun. It is no
// deadline of the Context, since a deadline cannot be lifted.
class UntilItBegins final : private Timer {
 public:
  UntilItBegins(Context& attempt, const Replay& request) : attempt_(attempt), request_(request) {}
  void arm(Duration limit) { attempt_.loop().arm(*this, after(attempt_.loop().now(), limit)); }
  bool passed() const { return passed_; }

 private:
  void fire() override {
    if (request_.owner()) return;
    passed_ = true;
    attempt_.cancel(Status::deadline_exceeded("the deadline of an attempt passed"));
  }
  Context& attempt_;
  const Replay& request_;
  bool passed_ = false;
};

class Retry final : public Service {
 public:
  Retry(std::shared_ptr<Service> next, std::string peer, RetrySettings settings, std::shared_ptr<Budget> budget)
      : next_(std::move(next)),
        peer_(std::move(peer)),
        settings_(std::move(settings)),
        causes_(settings_.on),
        budget_(std::move(budget)) {}

  Task<Outcome> call(Context& ctx, Call& c) override;

 private:
  // One call, and what its attempts have told.
  struct Run {
    Run(Context& context, Call& of, const RetrySettings& settings)
        : ctx(context),
          call(of),
          request(*of.in, settings.remember),
          again(repeatable(of, settings.idempotent)),
          started(context.loop().now()) {}
    Context& ctx;
    Call& call;
    Replay request;
    const bool again;  // whatever the peer has seen of it
    const Time started;
    int made = 0;            // attempts
    int backed_off = 0;      // waits since the last pushback
    bool timed_out = false;  // the last attempt took longer than per_try
  };

  void limit(Context& own, UntilItBegins& begins, const Method& method) const;
  void note_timeout(Run& run, const Context& own, const UntilItBegins& begins, Outcome& outcome) const;
  bool is_cause(const Run& run, const Outcome& outcome, const std::optional<Duration>& retry_after) const;
  std::optional<Duration> when_to_come_back(const Run& run, const Outcome& outcome, const Commit& out) const;
  std::optional<Duration> wait(Run& run, const Pushback& pushback, const std::optional<Duration>& retry_after) const;
  std::optional<Duration> before_next(Run& run, Outcome& outcome, const Commit& out) const;
  void tell(const Run& run, Event::Kind kind, std::string text) const {
    report(run.ctx, Event(kind, peer_, run.call.method->label, std::move(text)));
  }

  const std::shared_ptr<Service> next_;
  const std::string peer_;
  const RetrySettings settings_;
  const Causes causes_;
  const std::shared_ptr<Budget> budget_;
};

// An attempt's own limit, past which another is made in its place: a deadline, which the peer is told, or for a reply
// that streams a timer.
void Retry::limit(Context& own, UntilItBegins& begins, const Method& method) const {
  if (settings_.per_try <= Duration::zero()) return;
  if (method.service_streams)
    begins.arm(settings_.per_try);
  else
    own.set_deadline(after(own.loop().now(), settings_.per_try));
}

void Retry::note_timeout(Run& run, const Context& own, const UntilItBegins& begins, Outcome& outcome) const {
  const bool passed = begins.passed() || (own.cancelled() && own.deadline() < run.ctx.deadline());
  run.timed_out = passed && !outcome.status.is_ok();
  if (run.timed_out)
    outcome.status =
        Status::deadline_exceeded(peer_ + ": an attempt took longer than " + show_duration(settings_.per_try) +
                                  ", which is all that per_try gives it");
}

// Is it a failure that another attempt may mend?
bool Retry::is_cause(const Run& run, const Outcome& outcome, const std::optional<Duration>& retry_after) const {
  if (run.timed_out || causes_.match(outcome)) return true;
  if (outcome.refused_by != RefusedBy::kNobody) return false;
  if (outcome.unsent && outcome.status.code() == Code::kUnavailable) return true;
  return outcome.http_status == 429 && retry_after;  // it says itself when to come back
}

std::optional<Duration> Retry::when_to_come_back(const Run& run, const Outcome& outcome, const Commit& out) const {
  auto field = outcome.trailers.find("retry-after");
  if (!field) field = out.held_field("retry-after");
  return field ? parse_retry_after(*field, run.ctx.loop().wall_now()) : retry_info(outcome.status);
}

std::optional<Duration> Retry::wait(Run& run, const Pushback& pushback,
                                    const std::optional<Duration>& retry_after) const {
  if (pushback.there) {
    run.backed_off = 0;
    return pushback.wait;
  }
  const Duration own = backoff(settings_.backoff, ++run.backed_off, random_unit());
  return retry_after ? std::max(own, *retry_after) : own;
}

// How long to wait before the next attempt; nullopt: there is none.
std::optional<Duration> Retry::before_next(Run& run, Outcome& outcome, const Commit& out) const {
  const Pushback pushback = take_pushback(outcome.trailers);
  const std::optional<Duration> retry_after = when_to_come_back(run, outcome, out);

  if (run.ctx.cancelled()) return std::nullopt;
  const bool cause = is_cause(run, outcome, retry_after);
  if (budget_ && (cause || (pushback.there && !pushback.wait)))
    budget_->record(Told::kFails);
  else if (budget_ && outcome.status.is_ok())
    budget_->record(Told::kWorks);
  if (!cause || run.made >= settings_.attempts) return std::nullopt;
  if (!outcome.unsent && !run.again) return std::nullopt;

  const auto give_up = [&](std::string why) {
    tell(run, Event::Kind::kRetryGivenUp,
         "no attempt " + std::to_string(run.made + 1) + " after " + shown(outcome) + ", since " + std::move(why));
    return std::nullopt;
  };
  if (run.request.too_large())
    return give_up("the request has more than " + std::to_string(settings_.remember) +
                   " octets, which is all that `remember` keeps");
  if (run.request.owner()) return give_up("its answer had begun");
  const std::optional<Duration> span = wait(run, pushback, retry_after);
  if (!span) return give_up("the peer wants none");
  const Time now = run.ctx.loop().now();
  if (after(now, *span) >= run.ctx.deadline())
    return give_up("the wait of " + show_duration(*span) + " passes the call's deadline");
  if (settings_.elapsed > Duration::zero() && after(now, *span) - run.started > settings_.elapsed)
    return give_up("it would begin later than `elapsed`, " + show_duration(settings_.elapsed));
  if (budget_ && !budget_->take(now)) {
    ask_for_no_retry(run.ctx);
    return give_up("the retry budget of " + peer_ + " is empty");
  }
  return span;
}

Task<Outcome> Retry::call(Context& ctx, Call& c) {
  Run run(ctx, c, settings_);
  if (budget_) budget_->count_call(run.started);
  for (;;) {
    Replay::Reader body(run.request);
    Commit out(*c.out, body, run.again && run.made + 1 < settings_.attempts ? &causes_ : nullptr);
    Outcome outcome;
    {
      Context own(ctx);
      UntilItBegins begins(own, run.request);
      limit(own, begins, *c.method);
      Call again(*c.method, attempt_metadata(c.metadata, run.made++), body, out);
      outcome = co_await next_->call(own, again);
      note_timeout(run, own, begins, outcome);
    }
    const std::optional<Duration> span = before_next(run, outcome, out);
    if (!span) {
      if (out.holding())
        if (Status s = co_await out.release(ctx); !s.is_ok()) co_return s;
      co_return outcome;
    }
    if (Status s = co_await sleep(ctx, *span); !s.is_ok()) co_return s;
    tell(run, Event::Kind::kRetry,
         "attempt " + std::to_string(run.made + 1) + " of " + std::to_string(settings_.attempts) + " after " +
             shown(outcome));
  }
}

}  // namespace

Filter retry(std::string peer, RetrySettings settings, std::shared_ptr<Budget> budget) {
  return [peer = std::move(peer), settings = std::move(settings),
          budget = std::move(budget)](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Retry>(std::move(next), peer, settings, budget);
  };
}

}  // namespace duplex::resilience
