#include "contract/json_time.h"

#include <charconv>
#include <chrono>

namespace duplex::contract {

namespace {

constexpr int64_t kFirstSecond = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLastSecond = 253402300799;   // 9999-12-31T23:59:59Z
constexpr int64_t kLongestSpan = 315576000000;  // seconds, to which the nanos come
constexpr int64_t kDay = 86400;

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Takes a text apart from its front.
class Parts {
 public:
  explicit Parts(std::string_view text) : text_(text) {}
  bool digits(size_t count, int& value) {
    if (text_.size() < count) return false;
    value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!is_digit(text_[i])) return false;
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(count);
    return true;
  }
  bool take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Up to nine digits after a point, if there is one.
  bool fraction(int32_t& nanos) {
    nanos = 0;
    if (!take('.')) return true;
    size_t count = 0;
    for (; count < text_.size() && is_digit(text_[count]); ++count)
      if (count < 9) nanos = nanos * 10 + (text_[count] - '0');
    if (count == 0 || count > 9) return false;
    for (size_t i = count; i < 9; ++i) nanos *= 10;
    text_.remove_prefix(count);
    return true;
  }
  bool empty() const { return text_.empty(); }
  std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
};

char* put_digits(char* to, int value, int count) {
  for (int i = count; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
  return to + count;
}

char* put_fraction(char* to, int nanos) {
  if (nanos == 0) return to;
  *to++ = '.';
  if (nanos % 1000000 == 0) return put_digits(to, nanos / 1000000, 3);
  if (nanos % 1000 == 0) return put_digits(to, nanos / 1000, 6);
  return put_digits(to, nanos, 9);
}

}  // namespace

bool parse_time_point(std::string_view text, int64_t& seconds, int32_t& nanos) {
  Parts parts(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!parts.digits(4, year) || !parts.take('-') || !parts.digits(2, month) || !parts.take('-') ||
      !parts.digits(2, day) || !parts.take('T') || !parts.digits(2, hour) || !parts.take(':') ||
      !parts.digits(2, minute) || !parts.take(':') || !parts.digits(2, second) || !parts.fraction(nanos))
    return false;
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return false;
  int64_t offset = 0;
  if (!parts.take('Z')) {
    const bool east = parts.take('+');
    int hours = 0, minutes = 0;
    if ((!east && !parts.take('-')) || !parts.digits(2, hours) || !parts.take(':') || !parts.digits(2, minutes) ||
        hours > 23 || minutes > 59)
      return false;
    offset = (hours * 3600 + minutes * 60) * (east ? 1 : -1);
  }
  if (!parts.empty()) return false;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  seconds = days * kDay + hour * 3600 + minute * 60 + second - offset;
  return seconds >= kFirstSecond && seconds <= kLastSecond;
}

bool parse_time_span(std::string_view text, int64_t& seconds, int32_t& nanos) {
  Parts parts(text);
  const bool negative = parts.take('-');
  const std::string_view rest = parts.rest();
  if (rest.empty() || !is_digit(rest[0])) return false;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), seconds);
  if (error != std::errc()) return false;
  parts = Parts(rest.substr(static_cast<size_t>(end - rest.data())));
  if (!parts.fraction(nanos) || !parts.take('s') || !parts.empty()) return false;
  if (seconds > kLongestSpan) return false;
  if (negative) {
    seconds = -seconds;
    nanos = -nanos;
  }
  return true;
}

char* write_time_point(char* to, int64_t seconds, int64_t nanos) {
  if (seconds < kFirstSecond || seconds > kLastSecond || nanos < 0 || nanos > 999999999) return nullptr;
  const int64_t days = seconds >= 0 ? seconds / kDay : -((-seconds + kDay - 1) / kDay);
  const int second = static_cast<int>(seconds - days * kDay);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  to = put_digits(to, static_cast<int>(date.year()), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  *to++ = '-';
  to = put_digits(to, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  *to++ = 'T';
  to = put_digits(to, second / 3600, 2);
  *to++ = ':';
  to = put_digits(to, second / 60 % 60, 2);
  *to++ = ':';
  to = put_digits(to, second % 60, 2);
  to = put_fraction(to, static_cast<int>(nanos));
  *to++ = 'Z';
  return to;
}

char* write_time_span(char* to, int64_t seconds, int64_t nanos) {
  if (seconds < -kLongestSpan || seconds > kLongestSpan || nanos < -999999999 || nanos > 999999999) return nullptr;
  if ((seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0)) return nullptr;
  if (seconds < 0 || nanos < 0) {
    *to++ = '-';
    seconds = -seconds;
    nanos = -nanos;
  }
  to = std::to_chars(to, to + 20, seconds).ptr;
  to = put_fraction(to, static_cast<int>(nanos));
  *to++ = 's';
  return to;
}

}  // namespace duplex::contract
