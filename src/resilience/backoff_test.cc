#include "duplex/resilience/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "duplex/base/random.h"

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;

BackoffSettings settings(Jitter jitter) {
  BackoffSettings s;
  s.base = 25ms;
  s.cap = 1s;
  s.jitter = jitter;
  return s;
}

TEST(Backoff, GrowsByTheMultiplierUpToTheCap) {
  const BackoffSettings s = settings(Jitter::kNone);
  const Duration bounds[] = {25ms, 50ms, 100ms, 200ms, 400ms, 800ms, 1s, 1s};
  for (int n = 1; n <= 8; ++n) EXPECT_EQ(backoff(s, n, 0.5), bounds[n - 1]) << n;
  EXPECT_EQ(backoff(s, 1'000'000, 0.5), 1s);  // past what a number holds
  BackoffSettings constant = s;
  constant.multiplier = 1;
  EXPECT_EQ(backoff(constant, 7, 0.5), 25ms);
}

TEST(Backoff, FullJitterIsFromNothingToTheBound) {
  const BackoffSettings s = settings(Jitter::kFull);
  EXPECT_EQ(backoff(s, 3, 0), 0ms);
  EXPECT_EQ(backoff(s, 3, 0.5), 50ms);
  EXPECT_LT(backoff(s, 3, 0.999999), 100ms);
}

// gRFC A6: 0.8 to 1.2 of the bound, so it may be a little past the cap.
TEST(Backoff, GrpcsJitterIsAFifthToEitherSide) {
  const BackoffSettings s = settings(Jitter::kGrpc);
  EXPECT_EQ(backoff(s, 1, 0), 20ms);
  EXPECT_EQ(backoff(s, 1, 0.5), 25ms);
  EXPECT_GT(backoff(s, 9, 0.9), 1s);
  EXPECT_LT(backoff(s, 9, 0.999999), 1200ms);
}

// Callers that failed together do not come back together: 10,000 waits are spread evenly. 99 degrees of freedom: above
// 181.4 once in a million runs.
TEST(Backoff, FullJitterHasNoPeaks) {
  for (int n : {1, 4, 20}) {
    const BackoffSettings s = settings(Jitter::kFull);
    const double bound = static_cast<double>(backoff(settings(Jitter::kNone), n, 0).count());
    std::array<int, 100> bins{};
    for (int i = 0; i < 10'000; ++i)
      ++bins[static_cast<size_t>(static_cast<double>(backoff(s, n, random_unit()).count()) / bound * 100)];
    double chi = 0;
    for (int seen : bins) chi += (seen - 100.0) * (seen - 100.0) / 100.0;
    EXPECT_LT(chi, 181.4) << n;
  }
}

}  // namespace
}  // namespace duplex::resilience
