// Hedging, on virtual time.
#include "duplex/base/random.h"
#include "duplex/resilience/retry.h"
#include "resilience/scripted_peer.h"

namespace duplex::resilience {
namespace {

using Times = std::vector<int64_t>;

HedgeSettings settings(int64_t attempts = 3) {
  HedgeSettings s;
  s.attempts = attempts;
  s.delay = 100ms;
  return s;
}
Filter filter_of(HedgeSettings s, std::shared_ptr<Budget> budget = nullptr) {
  return hedge("payments", std::move(s), std::move(budget));
}

TEST(Hedge, AnAnswerInTimeIsMadeOnce) {
  TestCall call({after_a_while(90ms, answers("done"))});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.reply.text, "done");
  EXPECT_EQ(call.peer->times(), Times{0});
  EXPECT_EQ(call.took, 90);
}

TEST(Hedge, AttemptKBeginsAtKTimesTheDelayAndTheFirstOkWins) {
  TestCall call({is_silent(), is_silent(), after_a_while(50ms, answers("third"))});
  EXPECT_TRUE(call.made_with(filter_of(settings(5))).status.is_ok());
  EXPECT_EQ(call.reply.text, "third");
  EXPECT_EQ(call.peer->times(), (Times{0, 100, 200}));
  EXPECT_EQ(call.took, 250);
  for (int loser : {0, 1}) {
    EXPECT_TRUE(call.peer->seen[loser].cancelled);  // and it had ended before the call did
    EXPECT_EQ(call.peer->seen[loser].ended, Code::kCancelled);
  }
  EXPECT_EQ(call.peer->seen[0].previous, "");
  EXPECT_EQ(call.peer->seen[1].previous, "1");
  EXPECT_EQ(call.peer->seen[2].previous, "2");
  EXPECT_EQ(call.events[0], "hedge: attempt 2 of 5 beside the one that is slow");
}

TEST(Hedge, TheFirstAttemptMayStillWin) {
  TestCall call({after_a_while(150ms, answers("first")), is_silent()});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.reply.text, "first");
  EXPECT_EQ(call.peer->times(), (Times{0, 100}));
  EXPECT_EQ(call.took, 150);
  EXPECT_TRUE(call.peer->seen[1].cancelled);
}

TEST(Hedge, WithoutADelayAllBeginAtOnce) {
  HedgeSettings s = settings(3);
  s.delay = 0ms;
  TestCall call({is_silent(), is_silent(), after_a_while(5ms, answers("third"))});
  EXPECT_TRUE(call.made_with(filter_of(s)).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 0, 0}));
}

TEST(Hedge, ANonFatalFailureBeginsTheNextAtOnceAndTheDelayAnew) {
  TestCall call({after_a_while(30ms, fails(Code::kUnavailable)), is_silent(), after_a_while(10ms, answers("third"))});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 30, 130}));
  EXPECT_EQ(call.took, 140);
  EXPECT_EQ(call.events[0], "hedge: attempt 2 of 3 after UNAVAILABLE: scripted");
}

TEST(Hedge, AFatalFailureEndsTheCallAndTheOthers) {
  TestCall call({is_silent(), after_a_while(20ms, fails(Code::kPermissionDenied))});
  EXPECT_EQ(call.made_with(filter_of(settings())).status.code(), Code::kPermissionDenied);
  EXPECT_EQ(call.took, 120);
  EXPECT_EQ(call.peer->seen.size(), 2u);
  EXPECT_TRUE(call.peer->seen[0].cancelled);
}

TEST(Hedge, WhenAllFailTheLastFailureIsTheCalls) {
  TestCall call({after_a_while(500ms, fails(Outcome(Status::unavailable("slow")))),
                 fails(Outcome(Status::unavailable("quick")))});
  EXPECT_EQ(call.made_with(filter_of(settings(2))).status.message(), "slow");
  EXPECT_EQ(call.took, 500);
}

TEST(Hedge, AFailureWhileAnotherStillRunsIsNotTheEnd) {
  TestCall call({after_a_while(500ms, answers("slow")), fails(Code::kUnavailable)});
  EXPECT_TRUE(call.made_with(filter_of(settings(2))).status.is_ok());
  EXPECT_EQ(call.reply.text, "slow");
}

TEST(Hedge, ACallThatMayNotBeRepeatedIsMadeOnce) {
  TestCall call({after_a_while(1s, answers("done"))});
  call.method = &TestCall::not_idempotent();
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.peer->seen.size(), 1u);
}

TEST(Hedge, PushbackDelaysTheNext) {
  TestCall call({pushes_back("250"), is_silent(), after_a_while(10ms, answers("third"))});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.peer->times(), (Times{0, 250, 350}));
}

TEST(Hedge, PushbackThatWantsNoneEndsTheHedging) {
  for (const char* value : {"-1", "never"}) {
    TestCall call({after_a_while(500ms, answers("slow")), pushes_back(value)});
    EXPECT_TRUE(call.made_with(filter_of(settings(5))).status.is_ok());
    EXPECT_EQ(call.reply.text, "slow");
    EXPECT_EQ(call.peer->seen.size(), 2u);
    EXPECT_EQ(call.events.back(), "retry_given_up: no attempt beside the 2 made, since the peer wants none");
  }
  TestCall alone({pushes_back("-1")});
  const Outcome& outcome = alone.made_with(filter_of(settings()));
  EXPECT_EQ(outcome.status.code(), Code::kUnavailable);
  EXPECT_FALSE(outcome.trailers.find("grpc-retry-pushback-ms"));
  EXPECT_EQ(alone.took, 0);
}

TEST(Hedge, TheBudgetIsForAllButTheFirst) {
  BudgetSettings none;
  none.ratio = none.floor = 0;
  TestCall call({after_a_while(500ms, answers("slow"))});
  EXPECT_TRUE(call.made_with(filter_of(settings(), std::make_shared<RetryBudget>(none))).status.is_ok());
  EXPECT_EQ(call.peer->seen.size(), 1u);
  EXPECT_EQ(call.events[0],
            "retry_given_up: no attempt beside the 1 made, since the retry budget of payments is empty");

  ThrottleSettings t;
  t.max_tokens = 4;
  auto throttle = std::make_shared<RetryThrottle>(t);
  TestCall failing({fails(Code::kUnavailable)});
  failing.made_with(filter_of(settings(9), throttle));
  EXPECT_EQ(failing.peer->seen.size(), 2u);
}

TEST(Hedge, ADeadlineEndsAllOfThem) {
  TestCall call({is_silent()});
  call.deadline = 350ms;
  EXPECT_EQ(call.made_with(filter_of(settings(9))).status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(call.peer->times(), (Times{0, 100, 200, 300}));
  EXPECT_EQ(call.took, 350);
  for (auto& seen : call.peer->seen) EXPECT_TRUE(seen.cancelled);
}

// ---- streams ----

Step streams(std::string text, Duration before_each, Outcome last = Outcome()) {
  return [=](Context& ctx, Call& c) -> Task<Outcome> {
    for (char letter : text) {
      if (Status s = co_await sleep(ctx, before_each); !s.is_ok()) co_return s;
      Message m(Bytes::copy({&letter, 1}));
      if (Status s = co_await c.out->write(ctx, std::move(m)); !s.is_ok()) co_return s;
    }
    co_return last;
  };
}

TEST(Hedge, TheFirstToWriteHasWon) {
  TestCall call({streams("aaaa", 110ms), streams("bbbb", 1ms)});
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_EQ(call.reply.text, "bbbb");
  EXPECT_TRUE(call.peer->seen[0].cancelled);
  EXPECT_EQ(call.took, 104);
}

TEST(Hedge, TheWinnersFailureIsTheCalls) {
  TestCall call({streams("aaaa", 110ms), streams("bb", 1ms, Outcome(Status::unavailable("lost")))});
  EXPECT_EQ(call.made_with(filter_of(settings())).status.message(), "lost");
  EXPECT_EQ(call.reply.text, "bb");
  EXPECT_EQ(call.peer->seen.size(), 2u);
}

TEST(Hedge, AWriterIsRefusedInTheTurnInWhichAnotherHasWon) {
  TestCall call({streams("aaaa", 110ms), streams("bbbb", 10ms)});  // both write at 110 ms
  EXPECT_TRUE(call.made_with(filter_of(settings())).status.is_ok());
  EXPECT_TRUE(call.reply.text == "aaaa" || call.reply.text == "bbbb") << call.reply.text;
}

// The Outcome of one attempt never stands beside the answer of another, not even when both end in one turn of the loop.
TEST(Hedge, AnEndWinsInItsTurnAsAnAnswerDoes) {
  const Step answers_late = after_a_while(110ms, answers("late")), answers_soon = after_a_while(10ms, answers("late"));
  const Step fails_late = after_a_while(110ms, fails(Code::kNotFound)),
             fails_soon = after_a_while(10ms, fails(Code::kNotFound));
  for (const auto& steps : {std::vector<Step>{answers_late, fails_soon}, std::vector<Step>{fails_late, answers_soon}}) {
    TestCall call(steps);
    const bool ok = call.made_with(filter_of(settings())).status.is_ok();
    EXPECT_EQ(call.reply.text, ok ? "late" : "");
    EXPECT_EQ(call.took, 110);
  }
}

// Reads the whole request, a message each `pause`, and answers with it.
Step echoes(Duration pause, std::string* got = nullptr) {
  return [=](Context& ctx, Call& c) -> Task<Outcome> {
    std::string all;
    for (;;) {
      if (Status s = co_await sleep(ctx, pause); !s.is_ok()) co_return s;
      NextResult m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) break;
      all += (**m).bytes.view();
      if (got) *got = all;
    }
    Message reply(Bytes::copy(all));
    co_return co_await c.out->write(ctx, std::move(reply));
  };
}

TEST(Hedge, AllReadTheWholeRequest) {
  std::string first, second;
  TestCall call({echoes(60ms, &first), echoes(35ms, &second)});  // at 240 and 240 ms, and the end at 300 and 275
  call.request = {"a", "b", "c", "d"};
  EXPECT_TRUE(call.made_with(filter_of(settings(2))).status.is_ok());
  EXPECT_EQ(first, "abcd");
  EXPECT_EQ(second, "abcd");
  EXPECT_EQ(call.reply.text, "abcd");
}

TEST(Hedge, ARequestTooLargeToRememberGoesToWhoIsAhead) {
  HedgeSettings s = settings(3);
  s.remember = 3;
  TestCall call({echoes(70ms), echoes(10ms)});  // the second takes the fourth message at 140 ms
  call.request = {"a", "b", "c", "d", "e"};
  EXPECT_TRUE(call.made_with(filter_of(s)).status.is_ok());
  EXPECT_EQ(call.reply.text, "abcde");
  EXPECT_EQ(call.took, 160);
  EXPECT_EQ(call.peer->seen.size(), 2u);
  EXPECT_TRUE(call.peer->seen[0].cancelled);
}

// ---- plain HTTP ----

TEST(HedgePlainHttp, AStatusThatIsNotFatalDoesNotWin) {
  TestCall call({after_a_while(200ms, answers_http(200, "page")), answers_http(503, "sorry")});
  EXPECT_TRUE(call.made_with(filter_of(settings(2))).status.is_ok());
  EXPECT_EQ(call.reply.text, "page");
  EXPECT_EQ(call.reply.heads, 1);

  TestCall all({answers_http(503, "sorry 1"), answers_http(503, "sorry 2")});
  EXPECT_EQ(all.made_with(filter_of(settings(2))).http_status, 503);
  EXPECT_EQ(all.reply.text, "sorry 2");
}

// ---- exceptions, and random outcomes ----

TEST(Hedge, AnExceptionComesOutWhenAllHaveEnded) {
  TestCall call({is_silent(), [](Context&, Call&) -> Task<Outcome> {
                   throw std::runtime_error("boom");
                   co_return Outcome();
                 }});
  EXPECT_THROW(call.made_with(filter_of(settings())), std::runtime_error);
  EXPECT_TRUE(call.peer->seen[0].cancelled);
}

TEST(HedgeProperty, WhateverThePeerDoes) {
  for (int round = 0; round < 3000; ++round) {
    HedgeSettings s = settings(1 + static_cast<int64_t>(random_below(5)));
    s.delay = std::chrono::milliseconds(random_below(60));
    s.remember = random_below(4) ? 1000 : 3;
    std::vector<Step> steps;
    for (int i = 0; i < 5; ++i) {
      Step step;
      switch (random_below(7)) {
        case 0:
          step = answers("reply");
          break;
        case 1:
          step = pushes_back(std::to_string(static_cast<int>(random_below(80)) - 20));
          break;
        case 2:
          step = streams("reply", 1ms);
          break;
        case 3:
          step = is_silent();
          break;
        case 4:
          step = random_below(4) ? fails(Code::kUnavailable) : fails(Code::kNotFound);
          break;
        case 5:
          step = answers_http(503, "sorry");
          break;
        default:
          step = fails(Code::kUnavailable);
      }
      steps.push_back(random_below(3) ? after_a_while(std::chrono::milliseconds(random_below(100)), step) : step);
    }
    TestCall call(steps);
    call.deadline = std::chrono::milliseconds(1 + random_below(400));
    call.request = {"ab", "cd"};
    const Outcome& outcome = call.made_with(filter_of(s));
    const auto& seen = call.peer->seen;
    ASSERT_GE(seen.size(), 1u);
    ASSERT_LE(seen.size(), static_cast<size_t>(s.attempts));
    ASSERT_LE(call.took, ms(call.deadline));
    ASSERT_LE(call.reply.heads, 1);
    if (outcome.status.is_ok()) {
      ASSERT_EQ(call.reply.text, "reply");
    }
    for (size_t i = 0; i < seen.size(); ++i) {
      ASSERT_EQ(seen[i].previous, i ? std::to_string(i) : "");
    }
    ASSERT_EQ(call.count("hedge:"), static_cast<int64_t>(seen.size()) - 1);
    ASSERT_FALSE(outcome.trailers.find("grpc-retry-pushback-ms"));
  }
}

}  // namespace
}  // namespace duplex::resilience
