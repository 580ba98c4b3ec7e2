// Those of the nine scenarios that belong to later capabilities (retry, hedge, inbox, loader): here in small, over the
// real core.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "duplex/app/in_process.h"
#include "duplex/runtime/run.h"
#include "handler.h"
#include "talk_service.h"

namespace duplex {
namespace {

using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::TalkBase;
using talk::v1::TalkClient;

const Method& unary_method() {
  static const Method m("/t.T/Unary", false, false);
  return m;
}
const Method& stream_method() {
  static const Method m("/t.T/Stream", true, true);
  return m;
}

// ---- (c) retry and hedge ----

// Remembers what it gave until it is committed or too large, and gives it again to each attempt. Several attempts may
// read at once, each by its own Reader.
class Replay {
 public:
  Replay(Source& in, size_t limit) : in_(in), limit_(limit) {}

  class Attempt final : public Source {
   public:
    explicit Attempt(Replay& replay) : replay_(replay) {}
    Task<NextResult> next(Context& ctx) override {
      for (;;) {
        if (ctx.cancelled()) co_return ctx.why();
        if (at_ < replay_.kept_.size()) co_return std::optional<Message>(replay_.kept_[at_++]);
        if (replay_.ended_) co_return std::optional<Message>();
        if (replay_.reading_) {  // one next() at a time: another attempt's
          Status s = co_await replay_.changed_.wait(ctx);
          if (!s.is_ok()) co_return s;
          continue;
        }
        replay_.reading_ = true;
        NextResult m = co_await replay_.in_.next(ctx);
        replay_.reading_ = false;
        replay_.changed_.notify_all();
        if (!m) co_return m.error();
        if (!*m)
          replay_.ended_ = true;
        else
          replay_.keep(**m);
      }
    }

   private:
    Replay& replay_;
    size_t at_ = 0;
  };

  bool whole() const { return size_ <= limit_; }

 private:
  void keep(const Message& m) {
    size_ += m.bytes.size();
    kept_.push_back(m);
  }
  Source& in_;
  const size_t limit_;
  size_t size_ = 0;
  std::vector<Message> kept_;
  bool ended_ = false, reading_ = false;
  Notifier changed_;
};

// The first head() or write() commits the call to this attempt (gRFC A6).
class Commit final : public Sink {
 public:
  explicit Commit(Sink& out) : out_(out) {}
  Task<Status> head(Context& ctx, Metadata metadata) override {
    committed = true;
    return out_.head(ctx, std::move(metadata));
  }
  Task<Status> write(Context& ctx, Message message) override {
    committed = true;
    return out_.write(ctx, std::move(message));
  }
  bool committed = false;

 private:
  Sink& out_;
};

Filter retry(int most, Duration per_try, Duration wait, size_t limit = 1000) {
  return filter([=](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    Replay body(*c.in, limit);
    for (int n = 1;; ++n) {
      Outcome o;
      bool committed = false;
      {
        Context attempt(ctx, per_try);
        Commit out(*c.out);
        Replay::Attempt in(body);
        Call again(*c.method, c.metadata, in, out);
        o = co_await next.call(attempt, again);
        committed = out.committed;
      }
      bool worth = o.status.code() == Code::kUnavailable || o.status.code() == Code::kDeadlineExceeded;
      if (o.status.is_ok() || committed || !body.whole() || !worth || n == most || ctx.cancelled()) co_return o;
      Status slept = co_await sleep(ctx, wait);
      if (!slept.is_ok()) co_return o;
    }
  });
}

Outcome call_once(Service& service, Keep& kept, const Method& method = unary_method()) {
  return run(
      [&](Context& ctx) -> Task<Outcome> {
        One in(text("request"));
        Call call(method, Metadata(), in, kept);
        co_return co_await service.call(ctx, call);
      },
      kVirtual);
}

TEST(Scenarios, C_ARetryGivesTheSameRequestAgainAndOneReply) {
  int tries = 0;
  auto service = retry(3, 1s, 100ms)(handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    NextResult m = co_await c.in->next(ctx);
    EXPECT_TRUE(m && *m && (*m)->bytes.view() == "request");
    m = co_await c.in->next(ctx);
    EXPECT_TRUE(m && !*m);
    if (++tries == 1) co_return Status::unavailable("first");
    if (tries == 2) {  // the slow one: its own deadline ends it, not the caller's
      Status slept = co_await sleep(ctx, 1h);
      co_return slept;
    }
    co_return co_await c.out->write(ctx, text("reply"));
  }));
  Keep kept;
  EXPECT_TRUE(call_once(*service, kept).status.is_ok());
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(kept.count, 1u);
}

TEST(Scenarios, C_WhatWasCommittedIsNotTriedAgain) {
  int tries = 0;
  auto service = retry(3, 1s, 100ms)(handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    ++tries;
    Status s = co_await c.out->write(ctx, text("half"));
    EXPECT_TRUE(s.is_ok());
    co_return Status::unavailable("late");
  }));
  Keep kept;
  EXPECT_EQ(call_once(*service, kept, stream_method()).status.code(), Code::kUnavailable);
  EXPECT_EQ(tries, 1);
}

TEST(Scenarios, C_NorIsWhatIsTooLargeToRemember) {
  int tries = 0;
  auto service = retry(3, 1s, 100ms, 3)(handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    ++tries;
    NextResult m = co_await c.in->next(ctx);
    EXPECT_TRUE(m && *m);
    co_return Status::unavailable("x");
  }));
  Keep kept;
  EXPECT_EQ(call_once(*service, kept).status.code(), Code::kUnavailable);
  EXPECT_EQ(tries, 1);
}

TEST(Scenarios, C_ARetryOverTheRealClientWithLaw2) {
  // The handler writes before it fails: a unary answer that is not OK has told nothing, so it can be tried again.
  class Flaky final : public contract::DescribedService {
   public:
    const contract::ServiceDescription& described() const override { return TalkBase::description(); }
    Task<Outcome> call(Context& ctx, Call& c) override {
      Result<Message> m = make_message(SayReply());
      Status s = co_await c.out->write(ctx, *m);
      if (!s.is_ok()) co_return s;
      if (++tries < 3) co_return Status::unavailable("not yet");
      co_return Status();
    }
    std::atomic<int> tries{0};
  };
  auto flaky = std::make_shared<Flaky>();
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").serve(flaky);
  ASSERT_TRUE(server.start().is_ok());
  auto peer = std::make_shared<Client>(Client::Settings{.name = "talk", .address = server.addresses()[0]});
  peer->use(retry(3, 5s, 1ms));
  TalkClient client(peer);
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    Result<SayReply> r = co_await client.say(ctx, request);
    EXPECT_TRUE(r.has_value()) << r.error().to_string();
  });
  EXPECT_EQ(flaky->tries, 3);
}

// The first of several attempts to write owns the reply; the others are cancelled.
class Race {
 public:
  explicit Race(Sink& out) : out_(out) {}
  class Runner final : public Sink {
   public:
    Runner(Race& race, Context& own) : race_(race), own_(own) { race_.runners_.insert(this); }
    ~Runner() override { race_.runners_.erase(this); }
    Task<Status> head(Context& ctx, Metadata metadata) override {
      if (!race_.won_by(*this)) return Task<Status>::ready(Status::cancelled("another attempt was first"));
      return race_.out_.head(ctx, std::move(metadata));
    }
    Task<Status> write(Context& ctx, Message message) override {
      if (!race_.won_by(*this)) return Task<Status>::ready(Status::cancelled("another attempt was first"));
      return race_.out_.write(ctx, std::move(message));
    }
    bool owns() const { return race_.winner_ == this; }

   private:
    friend class Race;
    Race& race_;
    Context& own_;
  };
  bool decided() const { return winner_ != nullptr; }

 private:
  bool won_by(Runner& runner) {
    if (!winner_) {
      winner_ = &runner;
      for (Runner* other : runners_)
        if (other != &runner) other->own_.cancel(Status::cancelled("another attempt was first"));
    }
    return winner_ == &runner;
  }
  Sink& out_;
  Runner* winner_ = nullptr;
  std::set<Runner*> runners_;
};

Filter hedge(int most, Duration delay) {
  return filter([=](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    Replay body(*c.in, 1000);
    Race race(*c.out);
    std::optional<Outcome> first_error, won;
    int running = 0;
    Notifier changed;
    Context all(ctx);
    Scope scope(all);
    auto attempt = [&](Context& own) -> Task<void> {
      ++running;
      Race::Runner out(race, own);
      Replay::Attempt in(body);
      Call again(*c.method, c.metadata, in, out);
      Outcome o = co_await next.call(own, again);
      if (out.owns() || (o.status.is_ok() && !race.decided()))
        won = o;
      else if (!first_error)
        first_error = o;
      --running;
      changed.notify_all();
    };
    for (int n = 0; n < most && !won && !race.decided() && !ctx.cancelled(); ++n) {
      scope.spawn(attempt);
      Context pause(ctx, delay);
      while (!won && running > 0 && !pause.cancelled()) static_cast<void>(co_await changed.wait(pause));
    }
    while (!won && running > 0 && !ctx.cancelled()) static_cast<void>(co_await changed.wait(ctx));
    all.cancel(Status::cancelled("the hedge is over"));
    co_await scope.join();
    if (won) co_return *won;
    if (ctx.cancelled()) co_return ctx.why();
    co_return *first_error;
  });
}

TEST(Scenarios, C_HedgeTheSecondWinsAfter70msAndTheLoserIsCancelled) {
  int tries = 0, cancelled = 0;
  auto service = hedge(3, 50ms)(handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    const int n = ++tries;
    NextResult m = co_await c.in->next(ctx);
    EXPECT_TRUE(m && *m && (*m)->bytes.view() == "request");
    Status slept = co_await sleep(ctx, n == 1 ? Duration(10s) : Duration(20ms));
    if (!slept.is_ok()) {
      ++cancelled;
      co_return slept;
    }
    co_return co_await c.out->write(ctx, text("reply of " + std::to_string(n)));
  }));
  Keep kept;
  Duration took{};
  Outcome o = run(
      [&](Context& ctx) -> Task<Outcome> {
        Time start = ctx.loop().now();
        One in(text("request"));
        Call call(unary_method(), Metadata(), in, kept);
        Outcome out = co_await service->call(ctx, call);
        took = ctx.loop().now() - start;
        co_return out;
      },
      kVirtual);
  EXPECT_TRUE(o.status.is_ok()) << o.status.to_string();
  EXPECT_GE(took, 70ms);
  EXPECT_LE(took, 75ms);
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(cancelled, 1);
  EXPECT_EQ(kept.count, 1u);
  EXPECT_EQ(kept.message->bytes.view(), "reply of 2");
}

TEST(Scenarios, C_ACancelledParentEndsEveryHedge) {
  int tries = 0, cancelled = 0;
  auto service = hedge(3, 50ms)(handler([&](Context& ctx, Call&) -> Task<Outcome> {
    ++tries;
    Status slept = co_await sleep(ctx, 1h);
    cancelled += slept.code() == Code::kDeadlineExceeded;
    co_return slept;
  }));
  Outcome o = run(
      [&](Context& ctx) -> Task<Outcome> {
        Context parent(ctx, 500ms);
        One in(text("request"));
        Keep kept;
        Call call(unary_method(), Metadata(), in, kept);
        co_return co_await service->call(parent, call);
      },
      kVirtual);
  EXPECT_EQ(o.status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(cancelled, 3);
}

// ---- (d) a delivery is a call ----

struct Store {
  std::set<std::string> seen;
  std::vector<std::string> rows;
};

class Unit {
 public:
  Unit(Store& store, std::string id) : store_(store), id_(std::move(id)) {}
  bool seen() const { return store_.seen.contains(id_); }
  void stage(std::string row) { staged_.push_back(std::move(row)); }
  Task<Outcome> commit(Context& ctx, Outcome o) {
    Status s = co_await yield(ctx);
    if (!s.is_ok()) co_return s;
    store_.seen.insert(id_);
    for (auto& row : staged_) store_.rows.push_back(std::move(row));
    co_return o;
  }

 private:
  Store& store_;
  std::string id_;
  std::vector<std::string> staged_;
};

Filter inbox(Store& store) {
  return filter([&store](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    Unit unit(store, std::string(c.metadata.find("ce-id").value_or("")));
    if (unit.seen()) co_return Status();
    ctx.put(unit);
    Outcome o = co_await next.call(ctx, c);
    if (!o.status.is_ok()) co_return o;
    co_return co_await unit.commit(ctx, o);
  });
}

TEST(Scenarios, D_ADeliveryIsACallAndTheOutcomeTheVerdict) {
  Store store;
  int handled = 0;
  auto consumer = inbox(store)(answer()(handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    ++handled;
    NextResult m = co_await c.in->next(ctx);
    if (!m) co_return m.error();
    Unit* unit = ctx.find<Unit>();
    EXPECT_NE(unit, nullptr);
    unit->stage((*m)->bytes.to_string());
    if (handled == 1) co_return Status::unavailable("later");
    if ((*m)->bytes.view() == "throw") throw std::runtime_error("no");
    co_return Status();
  })));
  run(
      [&](Context& ctx) -> Task<void> {
        set_exception_report([](Context&, const Method&, std::string_view) {});
        auto deliver = [&](std::string id, std::string payload) -> Task<Status> {
          Context delivery(ctx, 1min);
          One in(text(payload));
          Drop out;
          Metadata attributes;
          attributes.add("ce-id", id);
          Call call(unary_method(), attributes, in, out);
          Outcome o = co_await consumer->call(delivery, call);
          co_return o.status;
        };
        EXPECT_EQ((co_await deliver("1", "a")).code(), Code::kUnavailable);  // what was staged is dropped
        EXPECT_TRUE(store.rows.empty());
        EXPECT_TRUE((co_await deliver("1", "a")).is_ok());
        EXPECT_TRUE((co_await deliver("1", "a")).is_ok());  // a duplicate: acknowledged, not handled
        EXPECT_EQ((co_await deliver("2", "throw")).code(), Code::kInternal);
        EXPECT_TRUE((co_await deliver("3", "b")).is_ok());
      },
      kVirtual);
  EXPECT_EQ(handled, 4);
  EXPECT_EQ(store.rows, (std::vector<std::string>{"a", "b"}));
}

// ---- (g) GraphQL's loader ----

Task<Result<Message>> invoke(Context& ctx, Service& service, const Method& method, Bytes request) {
  One in{Message(std::move(request))};
  Keep kept;
  Call call(method, Metadata(), in, kept);
  Outcome o = co_await service.call(ctx, call);
  if (!o.status.is_ok()) co_return o.status;
  if (!kept.message) co_return Status::internal("no reply");
  co_return std::move(*kept.message);
}

// One a request. A key is asked for once; keys of one level, whose tasks have all parked, are asked for together.
class Loader {
 public:
  Loader(Scope& scope, Service& service) : scope_(scope), service_(service) {}
  Task<Result<std::string>> load(Context& ctx, std::string key) {
    if (!known_.contains(key)) wanted_.insert(key);
    if (!wanted_.empty() && !std::exchange(armed_, true)) scope_.spawn([this](Context& c) { return fire(c); });
    while (!known_.contains(key)) {
      Status s = co_await changed_.wait(ctx);
      if (!s.is_ok()) co_return s;
    }
    co_return known_.at(key);
  }
  int batches = 0;

 private:
  Task<void> fire(Context& ctx) {
    Status s = co_await yield(ctx);  // behind everything that is ready now
    armed_ = false;
    std::set<std::string> keys = std::exchange(wanted_, {});
    std::string joined;
    for (auto& key : keys) joined += key + ",";
    ++batches;
    Bytes request = Bytes::copy(joined);
    Result<Message> m(Status::unknown("not asked"));
    if (s.is_ok()) m = co_await invoke(ctx, service_, unary_method(), request);
    for (auto& key : keys) {
      if (m)
        known_.emplace(key, std::string(m->bytes.view()) + ":" + key);
      else
        known_.emplace(key, m.error());
    }
    changed_.notify_all();
  }
  Scope& scope_;
  Service& service_;
  std::set<std::string> wanted_;
  std::map<std::string, Result<std::string>> known_;
  bool armed_ = false;
  Notifier changed_;
};

TEST(Scenarios, G_ALoaderAsksOnceALevel) {
  std::vector<std::string> asked;
  auto service = handler([&](Context& ctx, Call& c) -> Task<Outcome> {
    NextResult m = co_await c.in->next(ctx);
    if (!m) co_return m.error();
    asked.push_back((*m)->bytes.to_string());
    Status s = co_await sleep(ctx, 5ms);
    if (!s.is_ok()) co_return s;
    co_return co_await c.out->write(ctx, text("v"));
  });
  run(
      [&](Context& ctx) -> Task<void> {
        Context request(ctx);
        Scope loads(request), fields(request);
        Loader loader(loads, *service);
        for (int i = 0; i < 6; ++i)
          fields.spawn([&, i](Context& c) -> Task<void> {
            std::string key = "a" + std::to_string(i % 3);
            Result<std::string> first = co_await loader.load(c, key);
            EXPECT_TRUE(first && *first == "v:" + key);
            key = "b" + std::to_string(i % 2);
            Result<std::string> second = co_await loader.load(c, key);
            EXPECT_TRUE(second && *second == "v:" + key);
          });
        co_await fields.join();
        co_await loads.join();
        EXPECT_EQ(loader.batches, 2);
      },
      kVirtual);
  EXPECT_EQ(asked, (std::vector<std::string>{"a0,a1,a2,", "b0,b1,"}));
}

}  // namespace
}  // namespace duplex
