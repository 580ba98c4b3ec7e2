#include "duplex/resilience/fallback.h"

#include <algorithm>

#include "duplex/contract/contract.h"
#include "duplex/contract/text_format.h"
#include "duplex/resilience/event.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience {
namespace {

// In the Context of a call that a fallback makes: the chain that it goes through answers for itself and no further.
struct Answering {};

class Fallback final : public Service {
 public:
  Fallback(std::shared_ptr<Service> next, std::string peer, FallbackSettings settings, FallbackParts parts)
      : next_(std::move(next)),
        peer_(std::move(peer)),
        settings_(std::move(settings)),
        parts_(std::move(parts)),
        causes_(settings_.on) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    if (c.method->service_streams || ctx.find<Answering>()) return next_->call(ctx, c);
    return answered(ctx, c);
  }

 private:
  // What the call is about, for everyone who is asked for it.
  struct Question {
    Call& call;
    const std::optional<Message>& request;  // none: the caller streams, and what it said is gone
    std::string key;
  };

  Task<Outcome> answered(Context& ctx, Call& c) {
    std::optional<Message> request;
    if (!c.method->caller_streams) {
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return Outcome::never_sent(m.error());
      request = std::move(*m);
      if (!request) co_return Status::internal("a call of " + c.method->name + " without a request");
    }
    Question q{c, request, {}};
    if (parts_.last_good && settings_.last_good && request) q.key = LastGood::key(c, *request);
    Keep kept;
    Outcome outcome;
    {
      Context bounded(ctx, deadline_for_peer(ctx));
      outcome = co_await ask(bounded, *next_, *c.method, q, kept);
    }
    if (outcome.status.is_ok() && kept.message && !q.key.empty()) {
      LastGood::Answer answer(kept.metadata, *kept.message, ctx.loop().now());
      parts_.last_good->put(q.key, std::move(answer));
    }
    if (outcome.status.is_ok() || ctx.cancelled() || !answers_for(outcome))
      co_return co_await tell(ctx, c, std::move(kept), std::move(outcome));
    std::string failures;
    const std::string_view how = co_await find_answer(ctx, q, kept, failures);
    if (how.empty()) {
      if (!failures.empty() && !ctx.cancelled())
        outcome.status =
            Status(outcome.status.code(), outcome.status.message() + " (and its fallback: " + failures + ")",
                   outcome.status.details());
      co_return outcome;
    }
    report(ctx, Event(Event::Kind::kFallback, peer_, c.method->label,
                      std::string(how) + " answered after " + outcome.status.to_string()));
    kept.metadata.add("x-duplex-fallback", how);
    co_return co_await tell(ctx, c, std::move(kept), Outcome());
  }

  Time deadline_for_peer(Context& ctx) const {
    if (ctx.deadline() == kNever) return kNever;
    return ctx.deadline() - std::min(settings_.reserve, ctx.remaining() / 2);
  }

  bool answers_for(const Outcome& outcome) const {
    const Code code = outcome.status.code();
    return code != Code::kUnauthenticated && code != Code::kPermissionDenied && causes_.match(outcome);
  }

  static Task<Outcome> ask(Context& ctx, Service& service, const Method& method, const Question& q, Keep& kept) {
    kept.metadata = Metadata();
    kept.message.reset();
    kept.count = 0;
    if (q.request) {
      One in(*q.request);
      Call inner(method, q.call.metadata, in, kept);
      co_return co_await service.call(ctx, inner);
    }
    Call inner(method, q.call.metadata, *q.call.in, kept);
    co_return co_await service.call(ctx, inner);
  }

  // What was held back goes to the caller.
  static Task<Outcome> tell(Context& ctx, Call& c, Keep kept, Outcome outcome) {
    if (!kept.metadata.empty())
      if (Status s = co_await c.out->head(ctx, std::move(kept.metadata)); !s.is_ok()) co_return s;
    if (kept.message)
      if (Status s = co_await c.out->write(ctx, std::move(*kept.message)); !s.is_ok()) co_return s;
    co_return outcome;
  }

  // Asks one after the other; the name of the first that had an answer, which is in `kept`.
  Task<std::string_view> find_answer(Context& ctx, const Question& q, Keep& kept, std::string& failures) {
    Answering here;
    Context mine(ctx);
    mine.put(here);
    if (parts_.handler && q.request)
      if (co_await asked(mine, *parts_.handler, *q.call.method, q, kept, "handler", failures)) co_return "handler";
    if (!q.key.empty())
      if (std::optional<LastGood::Answer> old = parts_.last_good->find(q.key, ctx.loop().now())) {
        kept.metadata = old->head;
        kept.metadata.remove("age");
        kept.metadata.add("age", std::to_string((ctx.loop().now() - old->when) / std::chrono::seconds(1)));
        kept.message = std::move(old->message);
        co_return "last_good";
      }
    if (!settings_.method.empty() && q.request) {
      const contract::Method* mine_is = q.call.method->contract;
      Result<const contract::Method*> other =
          mine_is ? stand_in(settings_.method, *mine_is) : no_contract(*q.call.method);
      if (!other)
        add_failure(failures, "method", other.error());
      else if (co_await asked(mine, *next_, (*other)->plain(), q, kept, "method", failures))
        co_return "method";
    }
    if (!settings_.peer.empty() && q.request) {
      std::shared_ptr<Service> other = parts_.peer ? parts_.peer(settings_.peer) : nullptr;
      if (!other)
        add_failure(failures, "peer", Status::not_found("no peer '" + settings_.peer + "' is configured"));
      else if (co_await asked(mine, *other, *q.call.method, q, kept, "peer", failures))
        co_return "peer";
    }
    if (!settings_.reply.empty()) {
      Result<Message> reply = q.call.method->contract ? static_reply(settings_.reply, *q.call.method->contract)
                                                      : no_contract(*q.call.method);
      if (reply) {
        kept.metadata = Metadata();
        kept.message = std::move(*reply);
        co_return "reply";
      }
      add_failure(failures, "reply", reply.error());
    }
    co_return std::string_view();
  }

  Task<bool> asked(Context& ctx, Service& service, const Method& method, const Question& q, Keep& kept,
                   std::string_view who, std::string& failures) {
    Outcome o = co_await ask(ctx, service, method, q, kept);
    if (o.status.is_ok() && kept.message) co_return true;
    add_failure(failures, who, o.status.is_ok() ? Status::internal("no reply message") : o.status);
    co_return false;
  }

  static void add_failure(std::string& failures, std::string_view who, const Status& status) {
    if (!failures.empty()) failures += "; ";
    failures.append(who).append(": ").append(status.to_string());
  }

  static Status no_contract(const Method& method) {
    return Status::failed_precondition(method.name + " has no contract");
  }

  const std::shared_ptr<Service> next_;
  const std::string peer_;
  const FallbackSettings settings_;
  const FallbackParts parts_;
  const Causes causes_;
};

}  // namespace

Filter fallback(std::string peer, FallbackSettings settings, FallbackParts parts) {
  return [peer = std::move(peer), settings = std::move(settings),
          parts = std::move(parts)](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Fallback>(std::move(next), peer, settings, parts);
  };
}

Result<Message> static_reply(std::string_view reply, const contract::Method& method) {
  Result<Bytes> bytes = contract::written_to_proto(method.output(), reply);
  if (!bytes) return bytes.error();
  return Message(std::move(*bytes));
}

Result<const contract::Method*> stand_in(const std::string& name, const contract::Method& method) {
  const contract::Method* other = method.service().contract().find_method("/" + name);
  if (!other) return Status::not_found("the contract has no method " + name);
  if (other->input().name() != method.input().name() || other->output().name() != method.output().name() ||
      other->service_streams() || other->caller_streams())
    return Status::invalid_argument(name + " has other messages than " + method.path().substr(1));
  return other;
}

}  // namespace duplex::resilience
