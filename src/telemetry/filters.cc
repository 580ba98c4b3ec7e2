// The two filters: around calls that come in, and around calls that go out.
#include <algorithm>

#include "duplex/telemetry/telemetry.h"
#include "telemetry/access_log.h"
#include "telemetry/loop_cell.h"

namespace duplex {
namespace telemetry {
namespace {

// The call's trace in its Context; what was there before when the call is over, since the trace ends with this frame.
// Where nothing is further out, one that is not valid stays.
class Placed {
 public:
  Placed(Context& ctx, TraceContext& trace) : ctx_(ctx), before_(ctx.exchange(&trace)) {}
  ~Placed() {
    static TraceContext none;
    ctx_.exchange(before_);
    if (!ctx_.find<TraceContext>()) ctx_.put(none);
  }
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;

 private:
  Context& ctx_;
  TraceContext* const before_;
};

class InFlight {
 public:
  explicit InFlight(UpDownCounter& counter) : counter_(counter) { counter_.add(1); }
  ~InFlight() { counter_.add(-1); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  UpDownCounter& counter_;
};

// The turn's clock lags behind the real one; in tests it may run ahead of it.
Duration since(const Loop& loop, Time start) { return std::max<Time>(loop.now(), Clock::now()) - start; }

TraceContext new_trace(const Telemetry& telemetry) {
  TraceContext trace = TraceContext::start(true);
  if (!telemetry.sample(trace)) trace.flags &= static_cast<uint8_t>(~TraceContext::kSampled);
  return trace;
}

class ServerSide final : public Service {
 public:
  ServerSide(Telemetry& telemetry, Side& side, std::shared_ptr<Service> next)
      : telemetry_(telemetry), side_(side), next_(std::move(next)) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    Loop& loop = ctx.loop();
    // The turn's clock: what a call waited behind others of its turn is the caller's time too.
    const Time start = loop.now();
    LoopCell& cell = telemetry_.here(loop);
    MethodSeries& series = cell.series(side_, *c.method);
    std::optional<TraceContext> caller = TraceContext::of(c.metadata);
    TraceContext trace = caller ? caller->child() : new_trace(telemetry_);
    trace.log = &cell.log();
    Placed placed(ctx, trace);
    InFlight in_flight(series.in_flight());
    Outcome outcome = co_await next_->call(ctx, c);
    // Law 8, as the server half will tell it.
    const Status& status = ctx.cancelled() ? ctx.why() : outcome.status;
    Duration took = since(loop, start);
    series.duration(status.code()).observe(static_cast<uint64_t>(took.count()));
    if (telemetry_.options().access_log) write_access_line(cell.log(), series, trace, status, took, ctx.find<Peer>());
    co_return outcome;
  }

 private:
  Telemetry& telemetry_;
  Side& side_;
  const std::shared_ptr<Service> next_;
};

class ClientSide final : public Service {
 public:
  ClientSide(Telemetry& telemetry, Side& side, std::shared_ptr<Service> next)
      : telemetry_(telemetry), side_(side), next_(std::move(next)) {}

  Task<Outcome> call(Context& ctx, Call& c) override {
    Loop& loop = ctx.loop();
    const Time start = Clock::now();
    MethodSeries& series = telemetry_.here(loop).series(side_, *c.method);
    const TraceContext* parent = ctx.find<TraceContext>();
    (parent && parent->valid() ? parent->child() : new_trace(telemetry_)).put_into(c.metadata);
    InFlight in_flight(series.in_flight());
    Outcome outcome = co_await next_->call(ctx, c);
    series.duration(outcome.status.code()).observe(static_cast<uint64_t>((Clock::now() - start).count()));
    co_return outcome;
  }

 private:
  Telemetry& telemetry_;
  Side& side_;
  const std::shared_ptr<Service> next_;
};

}  // namespace
}  // namespace telemetry

Filter Telemetry::server() {
  telemetry::Side& mine = side(true, "");
  return [this, &mine](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<telemetry::ServerSide>(*this, mine, std::move(next));
  };
}

Filter Telemetry::client(std::string peer) {
  telemetry::Side& mine = side(false, peer);
  return [this, &mine](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<telemetry::ClientSide>(*this, mine, std::move(next));
  };
}

}  // namespace duplex
