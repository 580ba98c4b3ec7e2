#include "contract/json_time.h"

#include <gtest/gtest.h>

#include <string>

namespace duplex::contract {

namespace {

std::string point(std::string_view text) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  if (!parse_time_point(text, seconds, nanos)) return "refused";
  char to[kMostTimeText];
  char* const end = write_time_point(to, seconds, nanos);
  return end ? std::string(to, end) : "unwritten";
}

std::string span(std::string_view text) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  if (!parse_time_span(text, seconds, nanos)) return "refused";
  char to[kMostTimeText];
  char* const end = write_time_span(to, seconds, nanos);
  return end ? std::string(to, end) : "unwritten";
}

}  // namespace

TEST(JsonTime, PointsComeBackInUtc) {
  EXPECT_EQ(point("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00Z");
  EXPECT_EQ(point("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z");
  EXPECT_EQ(point("9999-12-31T23:59:59.999999999Z"), "9999-12-31T23:59:59.999999999Z");
  EXPECT_EQ(point("2024-02-29T12:00:00.5+01:30"), "2024-02-29T10:30:00.500Z");
  EXPECT_EQ(point("1969-12-31T23:59:59.000001-00:00"), "1969-12-31T23:59:59.000001Z");
}

TEST(JsonTime, WhatIsNoPointIsRefused) {
  for (const char* text :
       {"", "2023-02-29T00:00:00Z", "2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01 00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00Z ", "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "2024-1-01T00:00:00Z"})
    EXPECT_EQ(point(text), "refused") << text;
  char to[kMostTimeText];
  EXPECT_EQ(write_time_point(to, 253402300800, 0), nullptr);
  EXPECT_EQ(write_time_point(to, 0, -1), nullptr);
  EXPECT_EQ(write_time_point(to, 0, 1000000000), nullptr);
}

TEST(JsonTime, SpansHaveThreeSixOrNineDigits) {
  EXPECT_EQ(span("0s"), "0s");
  EXPECT_EQ(span("1.5s"), "1.500s");
  EXPECT_EQ(span("-0.000001s"), "-0.000001s");
  EXPECT_EQ(span("-315576000000.999999999s"), "-315576000000.999999999s");
  for (const char* text : {"", "s", "1", "1.s", ".5s", "1.0000000001s", "315576000001s", "--1s", "+1s", "1 s", "1s "})
    EXPECT_EQ(span(text), "refused") << text;
  char to[kMostTimeText];
  EXPECT_EQ(write_time_span(to, 1, -1), nullptr);
  EXPECT_EQ(write_time_span(to, 315576000001, 0), nullptr);
}

}  // namespace duplex::contract
