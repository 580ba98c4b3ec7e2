// Retries, on virtual time.
#include "duplex/resilience/retry.h"

#include "duplex/base/random.h"
#include "resilience/scripted_peer.h"

namespace duplex::resilience {
namespace {

using Times = std::vector<int64_t>;

// Waits that can be told from the clock: 100, 200, 400 ms.
RetrySettings settings(int64_t attempts = 3) {
  RetrySettings s;
  s.attempts = attempts;
  s.backoff.base = 100ms;
  s.backoff.cap = 10s;
  s.backoff.jitter = Jitter::kNone;
  return s;
}
Filter filter_of(RetrySettings s, std::shared_ptr<Budget> budget = nullptr) {
  return retry("payments", std::move(s), std::move(budget));
}

TEST(Retry, ASuccessIsMadeOnce) {
  TestCall call({answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.reply.text, "done");
  EXPECT_EQ(call.peer->times(), Times{0});
  EXPECT_EQ(call.peer->seen[0].previous, "");
  EXPECT_TRUE(call.events.empty());
}

TEST(Retry, WaitsGrowFromAttemptToAttemptAndEachSaysHowManyWereBefore) {
  TestCall call({fails(Code::kUnavailable), fails(Code::kUnavailable), fails(Code::kUnavailable), answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings(4))).status.is_ok());
  EXPECT_EQ(call.reply.text, "done");
  EXPECT_EQ(call.peer->times(), (Times{0, 100, 300, 700}));
  std::vector<std::string> previous;
  for (auto& seen : call.peer->seen) previous.push_back(seen.previous);
  EXPECT_EQ(previous, (std::vector<std::string>{"", "1", "2", "3"}));
  EXPECT_EQ(call.events[0], "retry: attempt 2 of 4 after UNAVAILABLE: scripted");
  EXPECT_EQ(call.count("retry:"), 3);
}

TEST(Retry, TheFirstAttemptDoesNotPassOnWhatOurCallersWereCountedAs) {
  TestCall call({fails(Code::kUnavailable), answers("done")});
  call.metadata.add(kPreviousAttempts, "7");
  call.made_with(filter_of(settings()));
  EXPECT_EQ(call.peer->seen[0].previous, "");
  EXPECT_EQ(call.peer->seen[1].previous, "1");
}

TEST(Retry, AttemptsIncludeTheFirstAndTheLastOnesOutcomeIsTheCalls) {
  TestCall call({fails(Code::kUnavailable), fails(Code::kUnavailable), fails(Outcome(Status::unavailable("third")))});
  EXPECT_EQ(call.made_with(filter_of(settings(3))).status.message(), "third");
  EXPECT_EQ(call.peer->seen.size(), 3u);
}

TEST(Retry, OnlyCausesAreTriedAgain) {
  for (unsigned code = 1; code <= 16; ++code) {
    TestCall call({fails(static_cast<Code>(code))});
    call.made_with(filter_of(settings(2)));
    EXPECT_EQ(call.peer->seen.size(), code == 14 ? 2u : 1u) << code;
  }
}

TEST(Retry, AnHttpStatusIsACauseOfItsOwn) {
  RetrySettings s = settings(2);
  s.on = {Cause::http(500)};
  Outcome failed(Status::internal("x"));
  failed.http_status = 500;
  TestCall over_rest({fails(failed)});
  over_rest.made_with(filter_of(s));
  EXPECT_EQ(over_rest.peer->seen.size(), 2u);
  TestCall over_grpc({fails(Code::kInternal)});
  over_grpc.made_with(filter_of(s));
  EXPECT_EQ(over_grpc.peer->seen.size(), 1u);
}

// ---- what may be repeated ----

TEST(Retry, AMethodThatMayNotBeRepeatedIsMadeOnce) {
  TestCall call({fails(Code::kUnavailable)});
  call.method = &TestCall::not_idempotent();
  call.made_with(filter_of(settings()));
  EXPECT_EQ(call.peer->seen.size(), 1u);
}

TEST(Retry, AnIdempotencyKeyLetsAnyMethodBeRepeated) {
  for (Repeat rule : {Repeat::kAuto, Repeat::kByKey}) {
    RetrySettings s = settings(2);
    s.idempotent = rule;
    TestCall call({fails(Code::kUnavailable)});
    call.method = &TestCall::not_idempotent();
    call.metadata.add("idempotency-key", "\"8e03978e\"");
    call.made_with(filter_of(s));
    EXPECT_EQ(call.peer->seen.size(), 2u);
  }
}

TEST(Retry, ByKeyDoesNotCareForTheMethod) {
  RetrySettings s = settings(2);
  s.idempotent = Repeat::kByKey;
  TestCall call({fails(Code::kUnavailable)});
  call.made_with(filter_of(s));
  EXPECT_EQ(call.peer->seen.size(), 1u);
}

TEST(Retry, WhatWasSurelyNotSeenIsTriedAgainWhateverTheMethod) {
  for (Repeat rule : {Repeat::kAuto, Repeat::kNever}) {
    RetrySettings s = settings();
    s.idempotent = rule;
    s.on = {};
    TestCall call({fails(Outcome::never_sent(Status::unavailable("refused"))), answers("done")});
    call.method = &TestCall::not_idempotent();
    EXPECT_TRUE(call.made_with(filter_of(s)).status.is_ok());
    EXPECT_EQ(call.peer->times(), (Times{0, 100}));
  }
}

TEST(Retry, WhatOurOwnSideRefusedIsTriedAgainOnlyWhereNamed) {
  for (RefusedBy who : {RefusedBy::kBreaker, RefusedBy::kLimit}) {
    TestCall call({fails(Outcome::refused(Status::unavailable("open"), who))});
    call.made_with(filter_of(settings()));
    EXPECT_EQ(call.peer->seen.size(), 1u);

    RetrySettings s = settings();
    s.on = {{who == RefusedBy::kBreaker ? Cause::Kind::kOpen : Cause::Kind::kLimit, 0}};
    TestCall named({fails(Outcome::refused(Status::unavailable("open"), who))});
    named.method = &TestCall::not_idempotent();  // nothing was sent
    named.made_with(filter_of(s));
    EXPECT_EQ(named.peer->seen.size(), 3u);
  }
}

// ---- pushback and Retry-After ----

TEST(Retry, PushbackIsWaitedExactlyAndThenBackoffBeginsAnew) {
  TestCall call({fails(Code::kUnavailable), fails(Code::kUnavailable), pushes_back("1234"), fails(Code::kUnavailable),
                 answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings(5))).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 100, 300, 1534, 1634}));
}

TEST(Retry, PushbackOfZeroIsAtOnce) {
  TestCall call({pushes_back("0"), answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 0}));
}

TEST(Retry, PushbackThatIsNegativeOrNoNumberMeansNoRetry) {
  for (const char* value : {"-1", "soon", "", "1.5", "10 ", "0x10", "99999999999999999999"}) {
    TestCall call({pushes_back(value)});
    EXPECT_EQ(call.made_with(filter_of(settings())).status.code(), Code::kUnavailable);
    EXPECT_EQ(call.peer->seen.size(), 1u) << value;
    EXPECT_EQ(call.events, (std::vector<std::string>{
                               "retry_given_up: no attempt 2 after UNAVAILABLE: scripted, since the peer wants none"}));
  }
}

TEST(Retry, TwoPushbacksMeanNoRetry) {
  Metadata trailers;
  trailers.add("grpc-retry-pushback-ms", "1");
  trailers.add("grpc-retry-pushback-ms", "1");
  TestCall call({fails(Code::kUnavailable, trailers)});
  call.made_with(filter_of(settings()));
  EXPECT_EQ(call.peer->seen.size(), 1u);
}

TEST(Retry, PushbackIsForThisHopAlone) {
  TestCall call({pushes_back("-1")});
  EXPECT_FALSE(call.made_with(filter_of(settings())).trailers.find("grpc-retry-pushback-ms"));
  Metadata trailers;
  trailers.add("grpc-retry-pushback-ms", "5");
  trailers.add("other", "stays");
  TestCall fatal({fails(Code::kNotFound, trailers)});
  const Outcome& outcome = fatal.made_with(filter_of(settings()));
  EXPECT_FALSE(outcome.trailers.find("grpc-retry-pushback-ms"));
  EXPECT_EQ(outcome.trailers.find("other"), "stays");
}

TEST(Retry, RetryAfterCountsWhereItIsLonger) {
  Metadata long_one, short_one, garbage;
  long_one.add("retry-after", "3");
  short_one.add("retry-after", "0");
  garbage.add("retry-after", "3 s");
  TestCall call({fails(Code::kUnavailable, long_one), fails(Code::kUnavailable, short_one),
                 fails(Code::kUnavailable, garbage), answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings(4))).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 3000, 3200, 3600}));
}

TEST(Retry, SoDoesTheRetryInfoOfAStatus) {
  const Status busy =
      Status::unavailable("busy").with_detail("type.googleapis.com/google.rpc.RetryInfo", "\x0a\x02\x08\x03");
  TestCall call({fails(Outcome(busy)), answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 3000}));
}

TEST(Retry, A429IsTriedAgainOnlyIfItSaysWhenOrIfItIsNamed) {
  Outcome busy(Status::resource_exhausted("busy"));
  busy.http_status = 429;
  TestCall silent({fails(busy)});
  silent.made_with(filter_of(settings()));
  EXPECT_EQ(silent.peer->seen.size(), 1u);

  RetrySettings named = settings(2);
  named.on.push_back(Cause::http(429));
  TestCall by_name({fails(busy)});
  by_name.made_with(filter_of(named));
  EXPECT_EQ(by_name.peer->seen.size(), 2u);

  busy.trailers.add("retry-after", "2");
  TestCall says({fails(busy), answers("done")});
  EXPECT_TRUE(says.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(says.peer->times(), (Times{0, 2000}));
}

// ---- time ----

TEST(Retry, AWaitThatWouldPassTheDeadlineIsNotBegun) {
  TestCall call({fails(Code::kUnavailable)});
  call.deadline = 250ms;
  EXPECT_EQ(call.made_with(filter_of(settings(10))).status.code(), Code::kUnavailable);
  EXPECT_EQ(call.peer->times(), (Times{0, 100}));
  EXPECT_EQ(call.took, 100);
  EXPECT_EQ(call.events.back(),
            "retry_given_up: no attempt 3 after UNAVAILABLE: scripted, since the wait of 200ms passes the call's "
            "deadline");
}

TEST(Retry, RetryAfterAndPushbackDoNotPassTheDeadlineEither) {
  Metadata field;
  field.add("retry-after", "7200");
  for (const Step& step : {fails(Code::kUnavailable, field), pushes_back("3600000")}) {
    TestCall call({step});
    call.made_with(filter_of(settings()));
    EXPECT_EQ(call.peer->seen.size(), 1u);
    EXPECT_EQ(call.took, 0);
  }
}

TEST(Retry, TheCallsDeadlineCoversAllAttempts) {
  TestCall call({after_a_while(60ms, fails(Code::kUnavailable)), is_silent()});
  call.deadline = 500ms;
  EXPECT_EQ(call.made_with(filter_of(settings())).status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(call.took, 500);
  EXPECT_EQ(call.peer->times(), (Times{0, 160}));
}

TEST(Retry, AnAttemptThatTakesTooLongIsTriedAgain) {
  RetrySettings s = settings();
  s.per_try = 50ms;
  s.on = {};
  TestCall call({is_silent(), answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(s)).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 150}));
  EXPECT_TRUE(call.peer->seen[0].cancelled);
}

TEST(Retry, TheLastAttemptThatTakesTooLongSaysSo) {
  RetrySettings s = settings(2);
  s.per_try = 50ms;
  TestCall call({is_silent()});
  EXPECT_EQ(call.made_with(filter_of(s)).status.to_string(),
            "DEADLINE_EXCEEDED: payments: an attempt took longer than 50ms, which is all that per_try gives it");
  EXPECT_EQ(call.took, 200);
}

TEST(Retry, AnAttemptOfWhatMayNotBeRepeatedThatTakesTooLongIsTheCallsEnd) {
  RetrySettings s = settings();
  s.per_try = 50ms;
  TestCall call({is_silent()});
  call.method = &TestCall::not_idempotent();
  EXPECT_EQ(call.made_with(filter_of(s)).status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(call.took, 50);
}

TEST(Retry, TheCallersDeadlineIsNoPerTry) {
  RetrySettings s = settings();
  s.per_try = 2s;
  TestCall call({is_silent()});
  call.deadline = 300ms;
  EXPECT_EQ(call.made_with(filter_of(s)).status.message(), "the deadline passed");
  EXPECT_EQ(call.peer->seen.size(), 1u);
}

TEST(Retry, AStreamOfRepliesMayLastLongerThanPerTryOnceItHasBegun) {
  static const Method watch("/shop.v1.Payments/Watch", false, true, Idempotency::kNoSideEffects);
  RetrySettings s = settings(2);
  s.per_try = 50ms;
  const Step streams = [](Context& ctx, Call& c) -> Task<Outcome> {
    for (int i = 0; i < 10; ++i) {
      if (Status slept = co_await sleep(ctx, 30ms); !slept.is_ok()) co_return slept;
      Message m(Bytes::literal("x"));
      if (Status written = co_await c.out->write(ctx, std::move(m)); !written.is_ok()) co_return written;
    }
    co_return Outcome();
  };
  TestCall call({is_silent(), streams});
  call.method = &watch;
  EXPECT_TRUE(call.made_with(filter_of(s)).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 150}));
  EXPECT_EQ(call.reply.text, "xxxxxxxxxx");

  TestCall silent({is_silent()});
  silent.method = &watch;
  EXPECT_EQ(silent.made_with(filter_of(s)).status.to_string(),
            "DEADLINE_EXCEEDED: payments: an attempt took longer than 50ms, which is all that per_try gives it");
}

TEST(Retry, NoAttemptBeginsAfterElapsed) {
  RetrySettings s = settings(10);
  s.elapsed = 600ms;
  TestCall call({fails(Code::kUnavailable)});
  call.made_with(filter_of(s));
  EXPECT_EQ(call.peer->times(), (Times{0, 100, 300}));
  EXPECT_EQ(call.count("retry_given_up"), 1);
}

TEST(Retry, ACancelledWaitEndsTheCall) {
  TestCall call({fails(Code::kUnavailable)});
  RetrySettings s = settings();
  s.backoff.base = 10s;
  call.made_by([&](Context& ctx, Call& c) -> Task<Outcome> {
    Context own(ctx);
    Scope scope(ctx);
    scope.spawn([&](Context& child) -> Task<void> {
      (void)co_await sleep(child, 3s);
      own.cancel(Status::cancelled("the user left"));
    });
    Outcome o = co_await filter_of(s)(call.peer)->call(own, c);
    co_await scope.join();
    co_return o;
  });
  EXPECT_EQ(call.outcome.status.to_string(), "CANCELLED: the user left");
  EXPECT_EQ(call.took, 3000);
  EXPECT_EQ(call.peer->seen.size(), 1u);
}

// ---- commitment ----

Step begins_and_fails(bool with_message) {
  return [=](Context& ctx, Call& c) -> Task<Outcome> {
    Metadata head;
    head.add("h", "1");
    if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
    if (with_message) {
      Message half(Bytes::copy("half"));
      if (Status s = co_await c.out->write(ctx, std::move(half)); !s.is_ok()) co_return s;
    }
    co_return Status::unavailable("lost");
  };
}

TEST(Retry, AnAnswerThatHadBegunCommits) {
  for (bool with_message : {false, true}) {
    TestCall call({begins_and_fails(with_message)});
    EXPECT_EQ(call.made_with(filter_of(settings())).status.message(), "lost");
    EXPECT_EQ(call.peer->seen.size(), 1u);
    EXPECT_EQ(call.reply.heads, 1);
    EXPECT_EQ(call.events[0], "retry_given_up: no attempt 2 after UNAVAILABLE: lost, since its answer had begun");
  }
}

TEST(Retry, A1xxDoesNotCommit) {
  TestCall call({[](Context& ctx, Call& c) -> Task<Outcome> {
                   Metadata early;
                   early.add(":status", "103");
                   (void)co_await c.out->interim(ctx, std::move(early));
                   co_return Status::unavailable("lost");
                 },
                 answers("done")});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.reply.interims, 1);
}

TEST(Retry, AStreamOfRequestsIsSentAgainFromTheFirst) {
  std::vector<std::string> got;
  const Step reads_two_and_fails = [&](Context& ctx, Call& c) -> Task<Outcome> {
    for (int i = 0; i < 2; ++i) {
      NextResult m = co_await c.in->next(ctx);
      if (m && *m) got.push_back((**m).bytes.to_string());
    }
    co_return Status::unavailable("lost");
  };
  const Step reads_all = [&](Context& ctx, Call& c) -> Task<Outcome> {
    for (;;) {
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) co_return Outcome();
      got.push_back((**m).bytes.to_string());
    }
  };
  TestCall call({reads_two_and_fails, reads_all});
  call.request = {"a", "b", "c"};
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(got, (std::vector<std::string>{"a", "b", "a", "b", "c"}));
}

TEST(Retry, ARequestTooLargeToRememberIsSentOnceAndTheLogSaysSo) {
  RetrySettings s = settings();
  s.remember = 10;
  uint64_t got = 0;
  TestCall call({[&](Context& ctx, Call& c) -> Task<Outcome> {
    for (;;) {
      NextResult m = co_await c.in->next(ctx);
      if (!m || !*m) break;
      got += (**m).bytes.size();
    }
    co_return Status::unavailable("lost");
  }});
  call.request = {"12345", "12345", "1", "rest"};
  call.made_with(filter_of(s));
  EXPECT_EQ(got, 15u);  // all of it went through
  EXPECT_EQ(call.peer->seen.size(), 1u);
  EXPECT_EQ(call.events[0],
            "retry_given_up: no attempt 2 after UNAVAILABLE: lost, since the request has more than 10 octets, which is "
            "all that `remember` keeps");
  TestCall just_fits({fails(Code::kUnavailable), answers("done")});
  just_fits.request = {"12345", "12345"};
  EXPECT_TRUE(just_fits.made_with(filter_of(s)).status.is_ok());
}

// ---- plain HTTP ----

TestCall plain_call(std::vector<Step> steps, const char* verb = "GET") {
  static const Method kRoute("http:* /x", true, true);
  TestCall call(std::move(steps));
  call.method = &kRoute;
  call.metadata.add(":method", verb);
  return call;
}

TEST(RetryPlainHttp, AStatusThatMayBeMendedIsHeldAndDropped) {
  for (int status : {502, 503, 504}) {
    TestCall call = plain_call({answers_http(status, "sorry"), answers_http(200, "page")});
    EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
    EXPECT_EQ(call.reply.heads, 1);
    EXPECT_EQ(call.reply.metadata.find(":status"), "200");
    EXPECT_EQ(call.reply.text, "page");
  }
}

TEST(RetryPlainHttp, TheLastFailureReachesTheCallerWhole) {
  TestCall call = plain_call({answers_http(503, "sorry 1"), answers_http(503, "sorry 2")});
  const Outcome& outcome = call.made_with(filter_of(settings(2)));
  EXPECT_EQ(outcome.status.code(), Code::kUnavailable);
  EXPECT_EQ(outcome.http_status, 503);
  EXPECT_EQ(call.reply.metadata.find(":status"), "503");
  EXPECT_EQ(call.reply.text, "sorry 2");
}

TEST(RetryPlainHttp, SoDoesAFailureThatIsGivenUpOn) {
  Metadata field;
  field.add("retry-after", "7200");
  TestCall call = plain_call({answers_http(503, "sorry", field)});
  EXPECT_EQ(call.made_with(filter_of(settings())).http_status, 503);
  EXPECT_EQ(call.reply.heads, 1);
  EXPECT_EQ(call.reply.text, "sorry");
}

TEST(RetryPlainHttp, RetryAfterIsReadFromTheHeldHead) {
  Metadata field;
  field.add("retry-after", "2");
  for (int status : {429, 503}) {
    TestCall call = plain_call({answers_http(status, "later", field), answers_http(200, "page")});
    EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
    EXPECT_EQ(call.peer->times(), (Times{0, 2000}));
  }
}

TEST(RetryPlainHttp, ABodyLongerThanWhatIsHeldCommits) {
  const std::string longest(64 * 1024, 'x');
  TestCall fits = plain_call({answers_http(503, longest), answers_http(200, "page")});
  EXPECT_TRUE(fits.made_with(filter_of(settings())).status.is_ok());
  TestCall call = plain_call({answers_http(503, longest + "x"), answers_http(200, "page")});
  EXPECT_EQ(call.made_with(filter_of(settings())).http_status, 503);
  EXPECT_EQ(call.reply.text, longest + "x");
  EXPECT_EQ(call.count("retry_given_up"), 1);
}

TEST(RetryPlainHttp, OtherStatusesAreAnswers) {
  for (int status : {200, 302, 400, 404, 429, 500}) {
    TestCall call = plain_call({answers_http(status, "so it is")});
    call.made_with(filter_of(settings()));
    EXPECT_EQ(call.peer->seen.size(), 1u) << status;
    EXPECT_EQ(call.reply.text, "so it is");
  }
}

TEST(RetryPlainHttp, AStatusThatIsNamedIsTriedAgain) {
  RetrySettings s = settings();
  s.on = {Cause::http(500)};
  TestCall call = plain_call({answers_http(500, "sorry"), answers_http(200, "page")});
  EXPECT_TRUE(call.made_with(filter_of(s)).status.is_ok());
  EXPECT_EQ(call.reply.text, "page");
}

TEST(RetryPlainHttp, TheVerbSaysWhatMayBeRepeated) {
  for (const char* verb : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "CONNECT"}) {
    TestCall call = plain_call({answers_http(503, "sorry")}, verb);
    call.made_with(filter_of(settings(2)));
    const bool once = std::string_view(verb).starts_with("P") && verb != std::string_view("PUT");
    EXPECT_EQ(call.peer->seen.size(), once || verb == std::string_view("CONNECT") ? 1u : 2u) << verb;
    EXPECT_EQ(call.reply.text, "sorry");
  }
}

// ---- the budget ----

TEST(Retry, TheBudgetIsAskedForEachRetryAndToldOfEachCall) {
  class Two final : public Budget {
   public:
    void count_call(Time) override { ++calls; }
    bool take(Time) override { return left-- > 0; }
    int calls = 0, left = 2;
  };
  auto budget = std::make_shared<Two>();
  TestCall call({fails(Code::kUnavailable)});
  call.made_with(filter_of(settings(9), budget));
  EXPECT_EQ(budget->calls, 1);
  EXPECT_EQ(call.peer->seen.size(), 3u);
  EXPECT_EQ(call.events.back(),
            "retry_given_up: no attempt 4 after UNAVAILABLE: scripted, since the retry budget of payments is empty");
}

TEST(Retry, WithAllCallsFailingAmplificationStaysWithinTheBudget) {
  BudgetSettings b;
  b.floor = 0;
  auto budget = std::make_shared<RetryBudget>(b);
  auto peer = std::make_shared<ScriptedPeer>(std::vector<Step>{fails(Code::kUnavailable)});
  run(
      [&](Context& ctx) -> Task<void> {
        RetrySettings s = settings(3);
        s.backoff.base = 1ms;
        auto service = filter_of(s, budget)(peer);
        for (int i = 0; i < 6000; ++i) {  // a minute of 100 a second
          One in(Message(Bytes::copy("x")));
          Drop out;
          Call c(TestCall::idempotent(), Metadata(), in, out);
          const Time next = ctx.loop().now() + 10ms;
          Outcome outcome = co_await service->call(ctx, c);
          EXPECT_EQ(outcome.status.code(), Code::kUnavailable);
          (void)co_await sleep_until(ctx, next);
        }
      },
      Loop::Options{.virtual_time = true});
  EXPECT_LE(peer->seen.size(), 7200u);
  EXPECT_GE(peer->seen.size(), 7000u);
}

TEST(Retry, GrpcsThrottleStopsRetriesAtHalfOfItsTokens) {
  ThrottleSettings t;
  t.max_tokens = 4;
  t.ratio = 0.5;
  auto throttle = std::make_shared<RetryThrottle>(t);
  TestCall call({fails(Code::kUnavailable)});
  call.made_with(filter_of(settings(9), throttle));
  EXPECT_EQ(call.peer->seen.size(), 2u);  // 3 are left: once more; 2 are left: half
  EXPECT_EQ(throttle->tokens(), 2);

  TestCall good({answers("done")});
  good.made_with(filter_of(settings(), throttle));
  EXPECT_EQ(throttle->tokens(), 2.5);
  TestCall fatal({fails(Code::kNotFound)});  // counts neither way
  fatal.made_with(filter_of(settings(), throttle));
  EXPECT_EQ(throttle->tokens(), 2.5);
  TestCall pushed({pushes_back("-1")});
  pushed.made_with(filter_of(settings(), throttle));
  EXPECT_EQ(throttle->tokens(), 1.5);
}

// ---- random outcomes ----

TEST(RetryProperty, WhateverThePeerDoes) {
  for (int round = 0; round < 3000; ++round) {
    RetrySettings s = settings(1 + static_cast<int64_t>(random_below(6)));
    s.backoff.jitter = random_below(2) ? Jitter::kFull : Jitter::kNone;
    if (random_below(2)) s.per_try = std::chrono::milliseconds(1 + random_below(300));
    if (random_below(3) == 0) s.elapsed = std::chrono::milliseconds(1 + random_below(800));
    s.remember = random_below(4) ? 1000 : 3;
    std::vector<Step> steps;
    for (int i = 0; i < 6; ++i) {
      Step step;
      switch (random_below(8)) {
        case 0:
          step = answers("reply");
          break;
        case 1:
          step = pushes_back(std::to_string(static_cast<int>(random_below(400)) - 40));
          break;
        case 2:
          step = begins_and_fails(random_below(2));
          break;
        case 3:
          step = is_silent();
          break;
        case 4:
          step = fails(Code::kNotFound);
          break;
        case 5:
          step = answers_http(503, "sorry");
          break;
        case 6:
          step = fails(Outcome::never_sent(Status::unavailable("refused")));
          break;
        default:
          step = fails(Code::kUnavailable);
      }
      steps.push_back(random_below(2) ? after_a_while(std::chrono::milliseconds(random_below(100)), step) : step);
    }
    TestCall call(steps);
    if (random_below(3) == 0) call.method = &TestCall::not_idempotent();
    call.deadline = std::chrono::milliseconds(1 + random_below(2000));
    const Outcome& outcome = call.made_with(filter_of(s));
    const auto& seen = call.peer->seen;

    ASSERT_GE(seen.size(), 1u);
    ASSERT_LE(seen.size(), static_cast<size_t>(s.attempts));
    ASSERT_LE(call.took, ms(call.deadline));
    ASSERT_LE(call.reply.heads, 1);  // one answer, or none
    for (size_t i = 0; i < seen.size(); ++i) {
      ASSERT_EQ(seen[i].previous, i ? std::to_string(i) : "");
      if (s.elapsed > Duration::zero()) {
        ASSERT_LE(seen[i].at, ms(s.elapsed));
      }
      if (i + 1 < seen.size()) {
        ASSERT_NE(seen[i].ended, Code::kOk);
      }
    }
    if (outcome.status.is_ok()) {
      ASSERT_EQ(call.reply.text, "reply");
    }
    ASSERT_EQ(call.count("retry:"), static_cast<int64_t>(seen.size()) - 1);
    ASSERT_LE(call.count("retry_given_up:"), 1);
    ASSERT_FALSE(outcome.trailers.find("grpc-retry-pushback-ms"));
  }
}

}  // namespace
}  // namespace duplex::resilience
