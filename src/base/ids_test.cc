#include "duplex/base/ids.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace duplex {
namespace {

TEST(Ids, HexIsLowerCaseAndReadsBack) {
  TraceId id{0x0af7651916cd43dd, 0x8448eb211c80319c};
  EXPECT_EQ(id.to_string(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(SpanId{0xb7ad6b7169203331}.to_string(), "b7ad6b7169203331");
  EXPECT_EQ(parse_hex("b7ad6b7169203331"), 0xb7ad6b7169203331);
  EXPECT_FALSE(parse_hex("B7ad6b7169203331"));
  EXPECT_FALSE(parse_hex("b7ad6b716920333"));
  EXPECT_FALSE(parse_hex("b7ad6b716920333g"));
}

TEST(Ids, NoTwoAreTheSameOnAnyThread) {
  std::set<uint64_t> seen;
  uint64_t other[100];
  std::thread thread([&] {
    for (uint64_t& value : other) value = fast_random();
  });
  for (int i = 0; i < 100; ++i) seen.insert(fast_random());
  thread.join();
  seen.insert(std::begin(other), std::end(other));
  EXPECT_EQ(seen.size(), 200u);
  EXPECT_TRUE(TraceId::random().valid());
  EXPECT_FALSE(TraceId().valid());
}

TEST(Ids, UuidsHaveVersionAndVariant) {
  for (int i = 0; i < 100; ++i) {
    std::string four = uuid_v4(), seven = uuid_v7();
    ASSERT_EQ(four.size(), 36u);
    EXPECT_EQ(four[8], '-');
    EXPECT_EQ(four[13], '-');
    EXPECT_EQ(four[23], '-');
    EXPECT_EQ(four[14], '4');
    EXPECT_EQ(seven[14], '7');
    EXPECT_NE(std::string("89ab").find(four[19]), std::string::npos);
    EXPECT_NE(std::string("89ab").find(seven[19]), std::string::npos);
  }
}

TEST(Ids, AVersion7UuidSortsByItsTime) {
  auto start = std::chrono::system_clock::time_point(std::chrono::milliseconds(0x018bcfe5687f));
  EXPECT_EQ(uuid_v7(start).substr(0, 18), "018bcfe5-687f-7000");
  EXPECT_LT(uuid_v7(start), uuid_v7(start + std::chrono::microseconds(1)));
  EXPECT_LT(uuid_v7(start + std::chrono::microseconds(999)), uuid_v7(start + std::chrono::milliseconds(1)));
}

}  // namespace
}  // namespace duplex
