#include <exception>
#include <memory>
#include <vector>

#include "duplex/resilience/event.h"
#include "duplex/resilience/retry.h"
#include "duplex/runtime/scope.h"
#include "resilience/attempt.h"
#include "resilience/commit.h"
#include "resilience/replay.h"
#include "resilience/retry_after.h"

namespace duplex::resilience {
namespace {

// The attempts of one call, beside one another. The first whose answer begins, or that is OK, has won (gRFC A6,
// "Hedging Policy").
class Race {
 public:
  Race(Context& ctx, Call& c, Service& next, std::string_view peer, const HedgeSettings& settings, const Causes& causes,
       Budget* budget)
      : ctx_(ctx),
        call_(c),
        next_(next),
        peer_(peer),
        settings_(settings),
        causes_(causes),
        budget_(budget),
        request_(*c.in, settings.remember),
        together_(ctx),
        scope_(together_) {}

  Task<Outcome> run();

 private:
  // Kept until the race is over: the last one's answer may be held in its Sink.
  struct Attempt {
    Attempt(Replay& request, Sink& reply, const Causes& causes) : body(request), out(reply, body, &causes) {}
    Replay::Reader body;
    Commit out;
    Context* ctx = nullptr;  // while it runs
    Outcome outcome;
  };

  bool more() const { return more_ && attempts_.size() < static_cast<size_t>(settings_.attempts); }
  void start_next();
  void start();
  Task<void> make(Context& ctx, Attempt& attempt, int before);
  void ended(Attempt& attempt);
  void cancel_others();
  void tell(Event::Kind kind, std::string text) {
    report(ctx_, Event(kind, peer_, call_.method->label, std::move(text)));
  }
  void no_more(const std::string& why) {
    if (more())
      tell(Event::Kind::kRetryGivenUp,
           "no attempt beside the " + std::to_string(attempts_.size()) + " made, since " + why);
    more_ = false;
  }

  Context& ctx_;
  Call& call_;
  Service& next_;
  const std::string_view peer_;
  const HedgeSettings& settings_;
  const Causes& causes_;
  Budget* const budget_;

  Replay request_;
  Context together_;
  Scope scope_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  size_t running_ = 0;
  bool more_ = true;         // nothing forbids another attempt, but for how many there may be
  Time next_at_{};           // when it is due
  Attempt* last_ = nullptr;  // whose Outcome is the call's
  bool over_ = false;        // ... and nothing can change that
  std::exception_ptr thrown_;
};

// When its time has come, and the budget has it.
void Race::start_next() {
  if (!attempts_.empty() && budget_ && !budget_->take(ctx_.loop().now())) {
    ask_for_no_retry(ctx_);
    return no_more("the retry budget of " + std::string(peer_) + " is empty");
  }
  if (!attempts_.empty())
    tell(Event::Kind::kHedge, "attempt " + std::to_string(attempts_.size() + 1) + " of " +
                                  std::to_string(settings_.attempts) +
                                  (last_ ? " after " + shown(last_->outcome) : " beside the one that is slow"));
  start();
}

void Race::start() {
  next_at_ = after(ctx_.loop().now(), settings_.delay);
  const int before = static_cast<int>(attempts_.size());
  attempts_.push_back(std::make_unique<Attempt>(request_, *call_.out, causes_));
  Attempt& attempt = *attempts_.back();
  ++running_;
  scope_.spawn([&, before](Context& ctx) { return make(ctx, attempt, before); });
}

Task<void> Race::make(Context& ctx, Attempt& attempt, int before) {
  attempt.ctx = &ctx;
  try {
    Call again(*call_.method, attempt_metadata(call_.metadata, before), attempt.body, attempt.out);
    attempt.outcome = co_await next_.call(ctx, again);
  } catch (...) {
    if (!thrown_) thrown_ = std::current_exception();
  }
  attempt.ctx = nullptr;
  --running_;
  ended(attempt);
  request_.decided().notify_all();  // wakes run()
}

// An attempt has its Outcome: is it the call's, and what follows from it?
void Race::ended(Attempt& attempt) {
  Outcome& outcome = attempt.outcome;
  const Pushback pushback = take_pushback(outcome.trailers);
  if (thrown_) over_ = true;
  if (over_ || attempt.body.lost()) return;
  last_ = &attempt;
  const bool non_fatal = causes_.match(outcome);
  if (budget_ && (non_fatal || (pushback.there && !pushback.wait)))
    budget_->record(Told::kFails);
  else if (budget_ && outcome.status.is_ok())
    budget_->record(Told::kWorks);
  if (request_.owner() || !non_fatal) {
    over_ = attempt.body.commit();
    return;
  }
  next_at_ = ctx_.loop().now();
  if (!pushback.there) return;
  if (pushback.wait)
    next_at_ = after(next_at_, *pushback.wait);
  else
    no_more("the peer wants none");
}

void Race::cancel_others() {
  for (auto& attempt : attempts_)
    if (attempt->ctx && attempt->body.lost())
      attempt->ctx->cancel(Status::cancelled("another attempt has answered this call first"));
}

Task<Outcome> Race::run() {
  for (;;) {
    if (over_ || ctx_.cancelled()) break;
    if (request_.owner()) {
      cancel_others();
      more_ = false;
    }
    if (more() && next_at_ <= ctx_.loop().now()) {
      start_next();
      continue;
    }
    if (!more() && running_ == 0) break;
    Context until(ctx_, more() ? next_at_ : kNever);
    co_await request_.decided().wait(until);
  }
  together_.cancel(Status::cancelled("another attempt has answered this call first"));
  co_await scope_.join();
  if (thrown_) std::rethrow_exception(thrown_);
  if (!last_ || (!over_ && ctx_.cancelled())) co_return ctx_.why();
  if (last_->out.holding())
    if (Status s = co_await last_->out.release(ctx_); !s.is_ok()) co_return s;
  co_return std::move(last_->outcome);
}

class Hedge final : public Service {
 public:
  Hedge(std::shared_ptr<Service> next, std::string peer, HedgeSettings settings, std::shared_ptr<Budget> budget)
      : next_(std::move(next)),
        peer_(std::move(peer)),
        settings_(std::move(settings)),
        causes_(settings_.non_fatal),
        budget_(std::move(budget)) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    if (budget_) budget_->count_call(ctx.loop().now());
    return settings_.attempts < 2 || !repeatable(c, settings_.idempotent) ? once(ctx, c) : race(ctx, c);
  }

 private:
  Task<Outcome> once(Context& ctx, Call& c) {
    Outcome outcome = co_await next_->call(ctx, c);
    take_pushback(outcome.trailers);
    co_return outcome;
  }
  Task<Outcome> race(Context& ctx, Call& c) {
    Race race(ctx, c, *next_, peer_, settings_, causes_, budget_.get());
    co_return co_await race.run();
  }

  const std::shared_ptr<Service> next_;
  const std::string peer_;
  const HedgeSettings settings_;
  const Causes causes_;
  const std::shared_ptr<Budget> budget_;
};

}  // namespace

Filter hedge(std::string peer, HedgeSettings settings, std::shared_ptr<Budget> budget) {
  return [peer = std::move(peer), settings = std::move(settings),
          budget = std::move(budget)](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Hedge>(std::move(next), peer, settings, budget);
  };
}

}  // namespace duplex::resilience
