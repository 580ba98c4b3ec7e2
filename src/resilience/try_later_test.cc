// The answer that says when to ask again.
#include "resilience/try_later.h"

#include <google/protobuf/duration.pb.h>
#include <gtest/gtest.h>

namespace duplex::resilience {
namespace {

using namespace std::chrono_literals;

TEST(TryLater, TellsTheSameTimeInEachProtocolsWords) {
  for (Duration after : std::initializer_list<Duration>{1ns, 1ms, 999ms, 1s, 1001ms, 90s, 1h + 250ms}) {
    const Outcome o = try_later("no", after);
    EXPECT_EQ(o.status.code(), Code::kResourceExhausted);
    ASSERT_EQ(o.status.details().size(), 1u);
    // RetryInfo has one field, a Duration, as field 1.
    const std::string& info = o.status.details()[0].value;
    ASSERT_GE(info.size(), 2u);
    EXPECT_EQ(info[0], '\x0a');
    ASSERT_EQ(static_cast<size_t>(info[1]), info.size() - 2);
    google::protobuf::Duration delay;
    ASSERT_TRUE(delay.ParseFromString(info.substr(2)));
    EXPECT_EQ(std::chrono::seconds(delay.seconds()) + std::chrono::nanoseconds(delay.nanos()), after);
    EXPECT_EQ(o.trailers.find("retry-after"), std::to_string(std::chrono::ceil<std::chrono::seconds>(after).count()));
    EXPECT_EQ(o.trailers.find("grpc-retry-pushback-ms"),
              std::to_string(std::chrono::ceil<std::chrono::milliseconds>(after).count()));
  }
}

TEST(TryLater, OfNoTimeTellsNone) {
  const Outcome o = try_later("no", 0s);
  EXPECT_TRUE(o.status.details().empty());
  EXPECT_TRUE(o.trailers.empty());
}

}  // namespace
}  // namespace duplex::resilience
