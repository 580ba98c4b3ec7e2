#include "resilience/retry_after.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace duplex::resilience {
namespace {

using std::chrono::system_clock;

constexpr int64_t kMostSeconds = 1'000'000'000;  // no wait is ever that long, and no sum with it overflows

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A date as it is read, from left to right; ok() as long as everything was there.
class DateText {
 public:
  explicit DateText(std::string_view text) : rest_(text) {}
  bool ok() const { return ok_; }
  bool ended() const { return ok_ && rest_.empty(); }

  void literal(std::string_view text) {
    ok_ = ok_ && rest_.starts_with(text);
    if (ok_) rest_.remove_prefix(text.size());
  }
  int number(size_t digits) {
    int value = 0;
    ok_ = ok_ && rest_.size() >= digits && is_number(rest_.substr(0, digits));
    if (!ok_) return 0;
    std::from_chars(rest_.data(), rest_.data() + digits, value);
    rest_.remove_prefix(digits);
    return value;
  }
  // The place of what comes next among the names.
  template <size_t N>
  int one_of(const std::array<std::string_view, N>& names) {
    for (size_t i = 0; ok_ && i < N; ++i)
      if (rest_.starts_with(names[i])) {
        rest_.remove_prefix(names[i].size());
        return static_cast<int>(i);
      }
    ok_ = false;
    return 0;
  }
  bool next_is(std::string_view text) const { return ok_ && rest_.starts_with(text); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

constexpr std::array<std::string_view, 7> kDays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> kLongDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Date {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void read_time(DateText& text, Date& date) {
  date.hour = text.number(2);
  text.literal(":");
  date.minute = text.number(2);
  text.literal(":");
  date.second = text.number(2);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<Date> imf_fixdate(std::string_view value) {
  DateText text(value);
  Date date;
  text.one_of(kDays);
  text.literal(", ");
  date.day = text.number(2);
  text.literal(" ");
  date.month = text.one_of(kMonths);
  text.literal(" ");
  date.year = text.number(4);
  text.literal(" ");
  read_time(text, date);
  text.literal(" GMT");
  return text.ended() ? std::optional(date) : std::nullopt;
}

// "Sunday, 06-Nov-94 08:49:37 GMT"; a year that seems more than fifty years ahead is in the past century.
std::optional<Date> rfc850_date(std::string_view value, int this_year) {
  DateText text(value);
  Date date;
  text.one_of(kLongDays);
  text.literal(", ");
  date.day = text.number(2);
  text.literal("-");
  date.month = text.one_of(kMonths);
  text.literal("-");
  date.year = this_year / 100 * 100 + text.number(2);
  if (date.year > this_year + 50) date.year -= 100;
  text.literal(" ");
  read_time(text, date);
  text.literal(" GMT");
  return text.ended() ? std::optional(date) : std::nullopt;
}

// "Sun Nov  6 08:49:37 1994"
std::optional<Date> asctime_date(std::string_view value) {
  DateText text(value);
  Date date;
  text.one_of(kDays);
  text.literal(" ");
  date.month = text.one_of(kMonths);
  text.literal(" ");
  if (text.next_is(" ")) {
    text.literal(" ");
    date.day = text.number(1);
  } else {
    date.day = text.number(2);
  }
  text.literal(" ");
  read_time(text, date);
  text.literal(" ");
  date.year = text.number(4);
  return text.ended() ? std::optional(date) : std::nullopt;
}

// In seconds: the ends of the calendar are further away than nanoseconds reach.
std::optional<std::chrono::sys_seconds> time_of(const Date& date) {
  using namespace std::chrono;
  const year_month_day day(year(date.year), month(static_cast<unsigned>(date.month) + 1),
                           std::chrono::day(static_cast<unsigned>(date.day)));
  // 60: a leap second.
  if (!day.ok() || date.hour > 23 || date.minute > 59 || date.second > 60) return std::nullopt;
  return sys_days(day) + hours(date.hour) + minutes(date.minute) + seconds(date.second);
}

int year_of(system_clock::time_point now) {
  return static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year());
}

}  // namespace

int http_status_of(const Metadata& head) {
  int number = 0;
  if (auto text = head.find(":status")) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

std::optional<Duration> parse_retry_after(std::string_view value, system_clock::time_point now) {
  if (is_number(value)) {
    int64_t seconds = kMostSeconds;
    if (value.size() < 10) std::from_chars(value.data(), value.data() + value.size(), seconds);
    return std::chrono::seconds(seconds);
  }
  std::optional<Date> date = imf_fixdate(value);
  if (!date) date = rfc850_date(value, year_of(now));
  if (!date) date = asctime_date(value);
  if (!date) return std::nullopt;
  const auto when = time_of(*date);
  if (!when) return std::nullopt;
  const auto left = std::chrono::ceil<std::chrono::seconds>(*when - std::chrono::floor<std::chrono::milliseconds>(now));
  return std::clamp(left, std::chrono::seconds(0), std::chrono::seconds(kMostSeconds));
}

std::optional<Duration> retry_info(const Status& status) {
  constexpr int kRetryDelay = 1;  // the field of that number, a google.protobuf.Duration
  for (const Detail& detail : status.details()) {
    if (!detail.type_url.ends_with("/google.rpc.RetryInfo")) continue;
    google::protobuf::UnknownFieldSet fields;
    if (!fields.ParseFromString(detail.value)) return std::nullopt;
    for (int i = 0; i < fields.field_count(); ++i) {
      const auto& field = fields.field(i);
      google::protobuf::Duration delay;
      if (field.number() != kRetryDelay || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED ||
          !delay.ParseFromString(field.length_delimited()) || delay.seconds() < 0 || delay.nanos() < 0)
        continue;
      return std::chrono::seconds(std::min(delay.seconds(), kMostSeconds)) + std::chrono::nanoseconds(delay.nanos());
    }
  }
  return std::nullopt;
}

Pushback take_pushback(Metadata& trailers) {
  Pushback pushback;
  size_t count = 0;
  if (!trailers.may_have(kPushback)) return pushback;
  for (Metadata::Entry e : trailers) {
    if (e.name != kPushback) continue;
    pushback.there = true;
    int64_t ms = -1;
    auto [end, error] = std::from_chars(e.value.data(), e.value.data() + e.value.size(), ms);
    const bool good =
        error == std::errc() && end == e.value.data() + e.value.size() && ms >= 0 && ms <= kMostSeconds * 1000;
    pushback.wait = good && count == 0 ? std::optional<Duration>(std::chrono::milliseconds(ms)) : std::nullopt;
    ++count;
  }
  if (pushback.there) trailers.remove(kPushback);
  return pushback;
}

}  // namespace duplex::resilience
