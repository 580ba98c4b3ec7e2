#include "duplex/resilience/fallback.h"

#include <gtest/gtest.h>

#include "duplex/contract/json.h"
#include "duplex/contract/proto_files.h"
#include "duplex/resilience/event.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;

// A peer that does as it is told.
class Peer final : public Service {
 public:
  std::function<Task<Outcome>(Context&, Call&)> body = [](Context&, Call&) {
    return Task<Outcome>::ready(Outcome(Status::unavailable("payments is down")));
  };
  std::vector<std::string> asked;  // for which methods
  Task<Outcome> call(Context& ctx, Call& c) override {
    asked.push_back(c.method->name);
    return body(ctx, c);
  }
  void answers(std::string text) {
    body = [text](Context& ctx, Call& c) -> Task<Outcome> {
      Metadata head;
      head.add("x-from", "peer");
      if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
      Message m(Bytes::copy(text));
      co_return co_await c.out->write(ctx, std::move(m));
    };
  }
  void fails(Outcome outcome) {
    body = [outcome](Context&, Call&) { return Task<Outcome>::ready(outcome); };
  }
};

struct Seen final : Observer {
  void on(Context&, const Event& e) override { events.push_back(std::string(event_name(e.kind)) + ": " + e.text); }
  std::vector<std::string> events;
};

class FallbackTest : public testing::Test {
 protected:
  const Method unary{"/shop.v1.Prices/Get", false, false}, stream{"/shop.v1.Prices/Watch", false, true};
  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  FallbackSettings settings;
  FallbackParts parts;
  Metadata metadata;
  Keep got;
  Seen seen;
  Duration waited{};

  Outcome call(const Method& method, std::string request = "request", Duration within = 10s) {
    got = Keep();
    std::shared_ptr<Service> chain = fallback("payments", settings, parts)(peer);
    Loop::Options options;
    options.virtual_time = true;
    return run(
        [&](Context& ctx) -> Task<Outcome> {
          ctx.put<Observer>(seen);
          Context bounded(ctx, within);
          One in(Message(Bytes::copy(request)));
          Call c(method, metadata, in, got);
          Time start = ctx.loop().now();
          Outcome o = co_await chain->call(bounded, c);
          waited = ctx.loop().now() - start;
          co_return o;
        },
        options);
  }
  std::string text() const { return got.message ? std::string(got.message->bytes.view()) : "(none)"; }
  std::string mark() const { return std::string(got.metadata.find("x-duplex-fallback").value_or("(none)")); }
  void keep_last_good(LastGoodSettings s = {}) {
    settings.last_good = s;
    parts.last_good = std::make_shared<LastGood>();
    parts.last_good->set(s);
  }
};

TEST_F(FallbackTest, AGoodAnswerPassesAsItIs) {
  peer->answers("fresh");
  EXPECT_TRUE(call(unary).status.is_ok());
  EXPECT_EQ(text(), "fresh");
  EXPECT_EQ(mark(), "(none)");
  EXPECT_EQ(got.metadata.find("x-from"), "peer");
  EXPECT_TRUE(seen.events.empty());
}

TEST_F(FallbackTest, TheLastGoodAnswerIsGivenToTheSameRequestOfTheSameCaller) {
  keep_last_good();
  metadata.add("authorization", "Bearer ann");
  peer->answers("fresh");
  EXPECT_TRUE(call(unary, "a").status.is_ok());
  peer->fails(Status::unavailable("down"));
  EXPECT_TRUE(call(unary, "a").status.is_ok());
  EXPECT_EQ(text(), "fresh");
  EXPECT_EQ(mark(), "last_good");
  EXPECT_TRUE(got.metadata.find("age").has_value());
  EXPECT_EQ(seen.events, (std::vector<std::string>{"fallback: last_good answered after UNAVAILABLE: down"}));
  EXPECT_FALSE(call(unary, "b").status.is_ok());
  metadata = Metadata();
  metadata.add("authorization", "Bearer bob");
  EXPECT_FALSE(call(unary, "a").status.is_ok());
}

TEST_F(FallbackTest, AnOldAnswerIsNoAnswer) {
  keep_last_good({.max_age = 60s});
  Metadata none;
  LastGood& kept = *parts.last_good;
  Time then{};
  kept.put("k", LastGood::Answer(none, Message(Bytes::copy("old")), then));
  EXPECT_TRUE(kept.find("k", then + 60s).has_value());
  EXPECT_FALSE(kept.find("k", then + 60s + 1ns).has_value());
}

TEST_F(FallbackTest, WhatIsKeptIsBounded) {
  LastGood kept;
  kept.set({.max_age = 60s, .entries = 3, .max_size = 1 << 20});
  auto put = [&](const std::string& key, size_t size) {
    kept.put(key, LastGood::Answer(Metadata(), Message(Bytes::copy(std::string(size, 'x'))), Time{}));
  };
  for (const char* key : {"a", "b", "c"}) put(key, 10);
  EXPECT_TRUE(kept.find("a", Time{}).has_value());  // now it is the one used last
  put("d", 10);
  EXPECT_EQ(kept.size(), 3u);
  EXPECT_FALSE(kept.find("b", Time{}).has_value());
  EXPECT_TRUE(kept.find("a", Time{}).has_value());
  put("large", 900'000);
  put("larger", 1'000'000);
  EXPECT_FALSE(kept.find("large", Time{}).has_value());
  EXPECT_TRUE(kept.find("larger", Time{}).has_value());
  put("too large", 2 << 20);
  EXPECT_EQ(kept.size(), 0u);
  put("e", 10);
  EXPECT_EQ(kept.size(), 1u);
}

TEST_F(FallbackTest, OnlyTheNamedFailuresAreAnsweredFor) {
  keep_last_good();
  peer->answers("fresh");
  EXPECT_TRUE(call(unary).status.is_ok());
  const auto code_after = [&](Outcome o) {
    peer->fails(std::move(o));
    return call(unary).status.code();
  };
  EXPECT_EQ(code_after(Status::not_found("no")), Code::kNotFound);
  EXPECT_EQ(code_after(Status::permission_denied("no")), Code::kPermissionDenied);
  EXPECT_EQ(code_after(Outcome::refused(Status::unavailable("open"), RefusedBy::kBreaker)), Code::kOk);
  EXPECT_EQ(code_after(Outcome::refused(Status::resource_exhausted("full"), RefusedBy::kLimit)), Code::kOk);
  EXPECT_EQ(code_after(Status::resource_exhausted("the peer is full")), Code::kResourceExhausted);
  settings.on = {Cause::of(Code::kPermissionDenied), Cause::of(Code::kUnauthenticated)};
  EXPECT_EQ(code_after(Status::permission_denied("never")), Code::kPermissionDenied);
  EXPECT_EQ(code_after(Status::unauthenticated("never")), Code::kUnauthenticated);
}

TEST_F(FallbackTest, ASliceOfTheDeadlineIsKeptForIt) {
  keep_last_good();
  peer->answers("fresh");
  EXPECT_TRUE(call(unary).status.is_ok());
  peer->body = [](Context& ctx, Call&) -> Task<Outcome> { co_return co_await sleep(ctx, 1h); };
  EXPECT_TRUE(call(unary, "request", 1s).status.is_ok());
  EXPECT_EQ(mark(), "last_good");
  EXPECT_EQ(waited, 950ms);
  EXPECT_TRUE(call(unary, "request", 60ms).status.is_ok());  // never more than half
  EXPECT_EQ(waited, 30ms);
}

TEST_F(FallbackTest, ACallerThatHasLeftGetsNone) {
  keep_last_good();
  peer->answers("fresh");
  EXPECT_TRUE(call(unary).status.is_ok());
  std::shared_ptr<Service> chain = fallback("payments", settings, parts)(peer);
  Outcome o = run([&](Context& ctx) -> Task<Outcome> {
    Context own(ctx);
    peer->body = [&](Context&, Call&) {
      own.cancel(Status::cancelled("the caller left"));
      return Task<Outcome>::ready(Outcome(Status::unavailable("lost")));
    };
    One in(Message(Bytes::copy("request")));
    Call c(unary, metadata, in, got);
    co_return co_await chain->call(own, c);
  });
  EXPECT_EQ(o.status.code(), Code::kUnavailable);
  EXPECT_TRUE(seen.events.empty());
}

TEST_F(FallbackTest, StreamsPassUntouched) {
  keep_last_good();
  EXPECT_EQ(call(stream).status.code(), Code::kUnavailable);
  EXPECT_EQ(peer->asked.size(), 1u);
}

TEST_F(FallbackTest, AHandlerComesFirstAndItsFailureLeavesThePeersOwn) {
  keep_last_good();
  auto handler = std::make_shared<Peer>();
  parts.handler = handler;
  handler->answers("by hand");
  EXPECT_TRUE(call(unary).status.is_ok());
  EXPECT_EQ(text(), "by hand");
  EXPECT_EQ(mark(), "handler");
  handler->fails(Status::internal("it broke too"));
  Outcome o = call(unary);
  EXPECT_EQ(o.status.to_string(), "UNAVAILABLE: payments is down (and its fallback: handler: INTERNAL: it broke too)");
}

TEST_F(FallbackTest, AnotherPeerIsAskedButAnswersForItselfOnly) {
  auto second = std::make_shared<Peer>();
  FallbackSettings back;
  back.peer = "payments";
  parts.peer = [&](const std::string& name) -> std::shared_ptr<Service> {
    if (name != "backup") return nullptr;
    FallbackParts to_first;
    to_first.peer = [&](const std::string&) { return fallback("payments", settings, parts)(peer); };
    return fallback("backup", back, to_first)(second);
  };
  settings.peer = "backup";
  second->answers("from backup");
  EXPECT_TRUE(call(unary).status.is_ok());
  EXPECT_EQ(text(), "from backup");
  second->fails(Status::unavailable("down as well"));
  Outcome o = call(unary);  // two that point at each other end all the same
  EXPECT_EQ(o.status.code(), Code::kUnavailable);
  EXPECT_EQ(second->asked.size(), 2u);
  settings.peer = "nobody";
  EXPECT_NE(call(unary).status.message().find("no peer 'nobody' is configured"), std::string::npos);
}

class ContractFallback : public FallbackTest {
 protected:
  std::shared_ptr<const contract::Contract> contract = [] {
    auto set = contract::read_proto_files({"clinic.proto"}, {DUPLEX_CONTRACT_TESTDATA, DUPLEX_GOOGLEAPIS_DIR});
    EXPECT_TRUE(set) << set.error().to_string();
    auto loaded = contract::Contract::load(*set);
    EXPECT_TRUE(loaded) << loaded.error().to_string();
    return *loaded;
  }();
  const contract::Method* a_unary_method() const {
    for (auto& service : contract->services())
      for (auto& method : service->methods())
        if (!method->caller_streams() && !method->service_streams()) return method.get();
    return nullptr;
  }
};

TEST_F(ContractFallback, AStaticReplyIsJsonOfTheReplyMessage) {
  const contract::Method* method = a_unary_method();
  ASSERT_NE(method, nullptr);
  settings.reply = "{}";
  EXPECT_TRUE(call(method->plain()).status.is_ok());
  EXPECT_EQ(text(), "");
  EXPECT_EQ(mark(), "reply");
  settings.reply = "{\"no_such_field\": 1}";
  Outcome o = call(method->plain());
  EXPECT_EQ(o.status.code(), Code::kUnavailable);
  EXPECT_NE(o.status.message().find("no_such_field"), std::string::npos) << o.status.message();
}

TEST_F(ContractFallback, AnotherMethodMustHaveTheSameMessages) {
  const contract::Method* method = a_unary_method();
  ASSERT_NE(method, nullptr);
  settings.method = method->path().substr(1);
  peer->body = [n = 0](Context& ctx, Call& c) mutable -> Task<Outcome> {
    if (++n % 2 == 1) co_return Status::unavailable("the first time");
    Message m(Bytes::copy("second"));
    co_return co_await c.out->write(ctx, std::move(m));
  };
  EXPECT_TRUE(call(method->plain()).status.is_ok());
  EXPECT_EQ(mark(), "method");
  settings.method = "no.Such/Method";
  peer->fails(Status::unavailable("down"));
  EXPECT_NE(call(method->plain()).status.message().find("the contract has no method no.Such/Method"),
            std::string::npos);
}

}  // namespace
}  // namespace duplex::resilience
