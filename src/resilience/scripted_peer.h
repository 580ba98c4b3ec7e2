// A peer that does as a script says, a step an attempt, on virtual time; and one call of it under a filter.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "duplex/resilience/event.h"
#include "duplex/runtime/run.h"
#include "duplex/service/attempt.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience {

using namespace std::chrono_literals;

// Timers are a millisecond fine and never early: what a test measures is rounded down.
inline int64_t ms(Duration span) { return span / std::chrono::milliseconds(1); }

// What an attempt does.
using Step = std::function<Task<Outcome>(Context&, Call&)>;

inline Step fails(Outcome outcome) {
  return [outcome](Context&, Call&) { return Task<Outcome>::ready(outcome); };
}
inline Step fails(Code code, Metadata trailers = {}) { return fails(Outcome(Status(code, "scripted"), trailers)); }
inline Step pushes_back(std::string_view value) {
  Metadata trailers;
  trailers.add("grpc-retry-pushback-ms", value);
  return fails(Code::kUnavailable, trailers);
}
// Takes the whole request, and answers `text`.
inline Step answers(std::string text) {
  return [text](Context& ctx, Call& c) -> Task<Outcome> {
    for (;;) {
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) break;
    }
    Message reply(Bytes::copy(text));
    co_return co_await c.out->write(ctx, std::move(reply));
  };
}
inline Step after_a_while(Duration span, Step then) {
  return [span, then](Context& ctx, Call& c) -> Task<Outcome> {
    if (Status s = co_await sleep(ctx, span); !s.is_ok()) co_return s;
    co_return co_await then(ctx, c);
  };
}
// Until it is cancelled.
inline Step is_silent() { return after_a_while(24h, fails(Code::kInternal)); }
// An answer over plain HTTP, as the client half gives it.
inline Step answers_http(int status, std::string body, Metadata fields = {}) {
  return [status, body, fields](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head;
    head.add(":status", std::to_string(status));
    for (Metadata::Entry e : fields) head.add(e.name, e.value);
    if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
    Message chunk(Bytes::copy(body), Format::kOpaque);
    if (Status s = co_await c.out->write(ctx, std::move(chunk)); !s.is_ok()) co_return s;
    Outcome outcome;
    if (status == 503 || status == 502) outcome.status = Status::unavailable("answered HTTP " + std::to_string(status));
    if (status == 429) outcome.status = Status::resource_exhausted("answered HTTP 429");
    if (status == 504) outcome.status = Status::deadline_exceeded("answered HTTP 504");
    if (status >= 400) outcome.http_status = static_cast<int16_t>(status);
    co_return outcome;
  };
}

// The last step is also that of every later attempt.
class ScriptedPeer final : public Service {
 public:
  struct Seen {
    int64_t at;            // ms since the first attempt
    std::string previous;  // its grpc-previous-rpc-attempts
    Code ended = Code::kOk;
    bool cancelled = false;
  };
  explicit ScriptedPeer(std::vector<Step> steps) : steps_(std::move(steps)) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    const size_t n = seen.size();
    if (n == 0) first_ = ctx.loop().now();
    seen.push_back({ms(ctx.loop().now() - first_), std::string(c.metadata.find(kPreviousAttempts).value_or(""))});
    Outcome outcome = co_await steps_[std::min(n, steps_.size() - 1)](ctx, c);
    seen[n].ended = outcome.status.code();
    seen[n].cancelled = ctx.cancelled();
    co_return outcome;
  }
  std::vector<int64_t> times() const {
    std::vector<int64_t> at;
    for (const Seen& s : seen) at.push_back(s.at);
    return at;
  }
  std::vector<Seen> seen;

 private:
  const std::vector<Step> steps_;
  Time first_{};
};

// Messages, one after the other.
class Several final : public Source {
 public:
  explicit Several(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  Task<NextResult> next(Context& ctx) override {
    if (ctx.cancelled()) return Task<NextResult>::ready(ctx.why());
    if (at_ == texts_.size()) return Task<NextResult>::ready(std::optional<Message>());
    return Task<NextResult>::ready(std::optional<Message>(Message(Bytes::copy(texts_[at_++]))));
  }
  size_t taken() const { return at_; }

 private:
  const std::vector<std::string> texts_;
  size_t at_ = 0;
};

// What a caller got.
class Collected final : public Sink {
 public:
  Task<Status> head(Context&, Metadata md) override {
    ++heads;
    metadata = std::move(md);
    return Task<Status>::ready(Status());
  }
  Task<Status> write(Context&, Message m) override {
    text += m.bytes.view();
    return Task<Status>::ready(Status());
  }
  Task<Status> interim(Context&, Metadata) override {
    ++interims;
    return Task<Status>::ready(Status());
  }
  Metadata metadata;
  int heads = 0, interims = 0;
  std::string text;
};

// A call of `method` under a filter, and all that can be seen of it.
class TestCall final : public Observer {
 public:
  explicit TestCall(std::vector<Step> steps) : peer(std::make_shared<ScriptedPeer>(std::move(steps))) {}

  const Outcome& made_with(const Filter& filter) {
    return made_by([&](Context& ctx, Call& c) -> Task<Outcome> {
      std::shared_ptr<Service> service = filter(peer);
      co_return co_await service->call(ctx, c);
    });
  }
  template <class F>
  const Outcome& made_by(F make) {
    outcome = run(
        [&](Context& root) -> Task<Outcome> {
          Context ctx(root, deadline);
          ctx.put<Observer>(*this);
          Several in(request);
          Call call(*method, metadata, in, reply);
          const Time start = ctx.loop().now();
          Outcome o = co_await make(ctx, call);
          took = ms(ctx.loop().now() - start);
          co_return o;
        },
        Loop::Options{.virtual_time = true});
    return outcome;
  }
  void on(Context&, const Event& event) override {
    events.push_back(std::string(event_name(event.kind)) + ": " + event.text);
    EXPECT_EQ(event.peer, "payments");
    EXPECT_EQ(event.method, method->label);
  }
  int64_t count(std::string_view kind) const {
    return std::count_if(events.begin(), events.end(), [&](auto& e) { return e.starts_with(kind); });
  }

  static const Method& idempotent() {
    static const Method m("/shop.v1.Payments/Find", false, false, Idempotency::kIdempotent);
    return m;
  }
  static const Method& not_idempotent() {
    static const Method m("/shop.v1.Payments/Charge", false, false);
    return m;
  }

  const std::shared_ptr<ScriptedPeer> peer;
  const Method* method = &idempotent();
  Metadata metadata;
  std::vector<std::string> request{"request"};
  Duration deadline = 1h;
  Collected reply;
  Outcome outcome;
  int64_t took = 0;  // ms
  std::vector<std::string> events;
};

}  // namespace duplex::resilience
