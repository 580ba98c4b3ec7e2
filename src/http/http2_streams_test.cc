#include "http/http2_streams.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "http/http2_session.h"

namespace duplex::http {
namespace {

class Http2StreamsTest : public testing::Test {
 protected:
  void finish(Http2Stream& stream) {
    streams_.forget(stream);
    streams_.recycle(stream);
  }
  Loop loop_;
  Http2Session session_{nullptr, loop_, Connected(-1, "peer"), Limits()};
  Http2Streams streams_{session_};
};

TEST_F(Http2StreamsTest, AStreamIsFoundByItsIdUntilItIsForgotten) {
  EXPECT_EQ(streams_.find(1), nullptr);
  Http2Stream& one = streams_.make(1);
  Http2Stream& three = streams_.make(3);
  EXPECT_EQ(streams_.find(1), &one);
  EXPECT_EQ(streams_.find(3), &three);
  EXPECT_EQ(streams_.find(2), nullptr);  // of the same bucket as 3
  streams_.forget(one);
  EXPECT_EQ(streams_.find(1), nullptr);
  EXPECT_EQ(streams_.find(3), &three);
  EXPECT_EQ(streams_.open(), 1u);
  EXPECT_EQ(streams_.live(), 2u);
  streams_.recycle(one);
  EXPECT_EQ(streams_.live(), 1u);
}

TEST_F(Http2StreamsTest, OneThatIsOverIsUsedAgain) {
  Http2Stream& one = streams_.make(1);
  finish(one);
  EXPECT_EQ(&streams_.make(3), &one);
  EXPECT_EQ(streams_.find(1), nullptr);
  EXPECT_EQ(streams_.find(3), &one);
}

TEST_F(Http2StreamsTest, OneThatIsForgottenAndStillUsedIsNotMadeAnew) {
  Http2Stream& one = streams_.make(1);
  streams_.forget(one);
  EXPECT_NE(&streams_.make(3), &one);
}

TEST_F(Http2StreamsTest, ManyThousandsAreFoundInEveryBucket) {
  std::map<uint32_t, Http2Stream*> expected;
  for (uint32_t id = 1; id < 20'000; id += 2) expected[id] = &streams_.make(id);
  expected[kLargestId] = &streams_.make(kLargestId);
  std::set<Http2Stream*> different;
  for (auto& [id, stream] : expected) {
    EXPECT_EQ(streams_.find(id), stream) << id;
    EXPECT_TRUE(different.insert(stream).second);
  }
  EXPECT_EQ(streams_.open(), expected.size());
}

TEST_F(Http2StreamsTest, WhateverTheOrderTheTableIsWhatAMapWouldBe) {
  std::mt19937 dice(7);
  std::map<uint32_t, Http2Stream*> expected;
  uint32_t next = 1;
  for (int step = 0; step < 50'000; ++step) {
    if (expected.empty() || (dice() % 100 < 50 && expected.size() < 500)) {
      next += 2 * (dice() % 40);  // gaps, so that chains grow
      expected[next] = &streams_.make(next);
      next += 2;
    } else {
      auto at = std::next(expected.begin(), static_cast<long>(dice() % expected.size()));
      finish(*at->second);
      EXPECT_EQ(streams_.find(at->first), nullptr);
      expected.erase(at);
    }
    if (step % 997 == 0) {
      for (auto& [id, stream] : expected) ASSERT_EQ(streams_.find(id), stream);
      ASSERT_EQ(streams_.open(), expected.size());
      ASSERT_EQ(streams_.live(), expected.size());
    }
  }
}

TEST_F(Http2StreamsTest, EachThatIsOpenIsVisitedOnceAndMayBeForgotten) {
  for (uint32_t id = 1; id <= 199; id += 2) streams_.make(id);
  streams_.forget(*streams_.find(5));
  size_t visited = 0;
  streams_.for_each_open([&](Http2Stream& stream) {
    ++visited;
    finish(stream);
  });
  EXPECT_EQ(visited, 99u);
  EXPECT_EQ(streams_.open(), 0u);
}

TEST(Http2Past, AStreamThatEndedIsClosed) {
  Http2Past past;
  past.opened(1, 0);
  past.opened(3, 1);
  EXPECT_EQ(past.of(1), Http2Past::What::kClosed);
}

TEST(Http2Past, WhatWasJumpedOverIsSkipped) {
  Http2Past past;
  past.opened(5, 0);  // 1 and 3
  past.opened(7, 5);
  past.opened(21, 7);  // 9 to 19
  for (uint32_t id : {1u, 3u, 9u, 15u, 19u}) EXPECT_EQ(past.of(id), Http2Past::What::kSkipped) << id;
  for (uint32_t id : {5u, 7u, 21u}) EXPECT_EQ(past.of(id), Http2Past::What::kClosed) << id;
}

TEST(Http2Past, OfManyGapsTheLastAreKnown) {
  Http2Past past;
  uint32_t last = 0;
  for (uint32_t id = 5; id < 40'000; id += 4) {
    past.opened(id, last);
    last = id;
  }
  EXPECT_EQ(past.of(last - 2), Http2Past::What::kSkipped);
  EXPECT_EQ(past.of(last), Http2Past::What::kClosed);
  EXPECT_NE(past.of(3), Http2Past::What::kResetByUs);
}

TEST(Http2Past, WhatWeResetIsKnownWhileTheRingHoldsIt) {
  Http2Past past;
  for (uint32_t id = 1; id <= 99; id += 2) past.reset_by_us(id);
  past.opened(101, 99);
  EXPECT_EQ(past.of(1), Http2Past::What::kResetByUs);
  EXPECT_EQ(past.of(99), Http2Past::What::kResetByUs);
  EXPECT_EQ(past.of(101), Http2Past::What::kClosed);
}

TEST(Http2Past, InDoubtItWasUs) {
  Http2Past past;
  for (uint32_t id = 1; id < 4000; id += 4) past.reset_by_us(id);
  EXPECT_EQ(past.of(1), Http2Past::What::kResetByUs);     // dropped from the ring
  EXPECT_EQ(past.of(3), Http2Past::What::kResetByUs);     // so old that nobody knows
  EXPECT_EQ(past.of(3997), Http2Past::What::kResetByUs);  // in the ring
  EXPECT_EQ(past.of(3995), Http2Past::What::kClosed);     // between
}

}  // namespace
}  // namespace duplex::http
