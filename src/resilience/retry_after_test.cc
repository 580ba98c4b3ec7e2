#include "resilience/retry_after.h"

#include <gtest/gtest.h>

namespace duplex::resilience {
namespace {

using namespace std::chrono;
using namespace std::chrono_literals;

// RFC 9110's own example: 784111777 s after 1970.
const auto kNow = sys_days(1994y / November / 6) + 8h + 49min + 37s;

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(parse_retry_after("0", kNow), 0s);
  EXPECT_EQ(parse_retry_after("120", kNow), 120s);
  EXPECT_EQ(parse_retry_after("007", kNow), 7s);
  EXPECT_GT(*parse_retry_after("99999999999999999999999", kNow), 24h * 365);
}

TEST(RetryAfter, ThreeFormsOfADate) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:50:07 GMT", "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994"}) {
    EXPECT_EQ(parse_retry_after(text, kNow), 30s) << text;
    EXPECT_EQ(parse_retry_after(text, kNow + 30s), 0s) << text;
    EXPECT_EQ(parse_retry_after(text, kNow + 1h), 0s) << text;      // passed
    EXPECT_EQ(parse_retry_after(text, kNow + 500ms), 30s) << text;  // rounded up: never too early
  }
  EXPECT_EQ(parse_retry_after("Thu Nov 10 08:49:37 1994", kNow), 4 * 24h);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:60 GMT", kNow), 23s);  // a leap second
}

// RFC 9110 section 5.6.7: a year of two digits that seems more than 50 years ahead is in the past.
TEST(RetryAfter, AYearOfTwoDigits) {
  const auto now = sys_days(2026y / November / 27);
  EXPECT_EQ(parse_retry_after("Friday, 27-Nov-26 00:00:10 GMT", now), 10s);
  EXPECT_GT(*parse_retry_after("Friday, 27-Nov-76 00:00:10 GMT", now), 24h * 365 * 30);
  EXPECT_EQ(parse_retry_after("Friday, 27-Nov-77 00:00:10 GMT", now), 0s);
}

TEST(RetryAfter, GarbageIsIgnored) {
  for (const char* text : {"",
                           "-1",
                           "1.5",
                           "1 s",
                           " 1",
                           "1,2",
                           "soon",
                           "0x10",
                           "Sun, 06 Nov 1994 08:49:37",
                           "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 31 Feb 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT",
                           "Sun, 06 Nov 1994 08:60:00 GMT",
                           "Sun, 06 Nov 1994 08:49:61 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT",
                           "sun, 06 nov 1994 08:49:37 gmt",
                           "Sun, 06 Nov 1994 08:49:37 GMT ",
                           "Sun Nov 6 08:49:37 1994",
                           "1994-11-06T08:49:37Z",
                           "Sunday, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Foo 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_retry_after(text, kNow)) << text;
}

TEST(RetryAfter, TheEndsOfTheCalendarAreNoTrouble) {
  EXPECT_GT(*parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", kNow), 24h * 365 * 10);
  EXPECT_EQ(parse_retry_after("Sat, 01 Jan 0000 00:00:00 GMT", kNow), 0s);
}

// google.rpc.RetryInfo{retry_delay: {seconds: 3, nanos: 500000000}}
TEST(RetryInfo, IsReadFromAStatusesDetails) {
  const std::string info("\x0a\x08\x08\x03\x10\x80\xca\xb5\xee\x01", 10);
  const std::string url = "type.googleapis.com/google.rpc.RetryInfo";
  const Status busy = Status::unavailable("busy");
  EXPECT_EQ(retry_info(busy.with_detail("type.googleapis.com/google.rpc.Help", info).with_detail(url, info)), 3500ms);
  EXPECT_FALSE(retry_info(Status()));
  EXPECT_FALSE(retry_info(busy));
  EXPECT_FALSE(retry_info(busy.with_detail(url, "")));
  EXPECT_FALSE(retry_info(busy.with_detail(url, "\x0a\x08\x08")));  // cut short
  EXPECT_FALSE(retry_info(busy.with_detail(url, "\x08\x03")));      // no message
  EXPECT_FALSE(retry_info(busy.with_detail(url, "\x0a\x0b\x08\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01")));  // -3 s
}

}  // namespace
}  // namespace duplex::resilience
