#include "http/http1_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <iterator>

namespace duplex::http {
namespace {

constexpr std::array<char, 256> kTokenLower = [] {
  std::array<char, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c)
    table[static_cast<size_t>(c)] = table[static_cast<unsigned char>(c - 'a' + 'A')] = c;
  for (char c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = c;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = c;
  return table;
}();

}  // namespace

char token_lower(char c) { return kTokenLower[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return token_lower(c) != 0; });
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b); });
}

bool may_be_trailer(std::string_view name) {
  static constexpr std::string_view kNever[] = {"age",
                                                "authorization",
                                                "cache-control",
                                                "content-encoding",
                                                "content-length",
                                                "content-range",
                                                "content-type",
                                                "cookie",
                                                "date",
                                                "expect",
                                                "expires",
                                                "host",
                                                "if-match",
                                                "if-none-match",
                                                "if-modified-since",
                                                "if-unmodified-since",
                                                "if-range",
                                                "location",
                                                "max-forwards",
                                                "pragma",
                                                "proxy-authenticate",
                                                "proxy-authorization",
                                                "range",
                                                "retry-after",
                                                "set-cookie",
                                                "trailer",
                                                "vary",
                                                "warning",
                                                "www-authenticate"};
  return !is_connection_field(name) && std::find(std::begin(kNever), std::end(kNever), name) == std::end(kNever);
}

bool is_connection_field(std::string_view name) {
  switch (name.size()) {
    case 2:
      return name == "te";
    case 7:
      return name == "upgrade";
    case 10:
      return name == "connection" || name == "keep-alive";
    case 16:
      return name == "proxy-connection";
    case 17:
      return name == "transfer-encoding";
    default:
      return false;
  }
}

void append_decimal(Buffer& to, uint64_t number) {
  char digits[20];
  to.append(std::string_view(digits, std::to_chars(digits, std::end(digits), number).ptr));
}

void append_hex(Buffer& to, uint64_t number) {
  char digits[16];
  to.append(std::string_view(digits, std::to_chars(digits, std::end(digits), number, 16).ptr));
}

void append_field(Buffer& to, std::string_view name, std::string_view value) {
  char* at = to.extend(name.size() + value.size() + 4);
  at = std::copy(name.begin(), name.end(), at);
  *at++ = ':';
  *at++ = ' ';
  at = std::copy(value.begin(), value.end(), at);
  *at++ = '\r';
  *at = '\n';
}

bool parse_length(std::string_view text, uint64_t& length) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc() && end == text.data() + text.size() && length <= INT64_MAX;
}

std::string_view http_date(std::chrono::system_clock::time_point now) {
  thread_local std::time_t made_for = -1;
  thread_local char text[32];
  std::time_t second = std::chrono::system_clock::to_time_t(now);
  if (second != made_for) {
    // Not strftime: its names of days and months follow the locale.
    static constexpr char kDays[] = "SunMonTueWedThuFriSat", kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    std::tm parts{};
    gmtime_r(&second, &parts);
    char* at = text;
    auto word = [&](const char* names, int index) { at = std::copy_n(names + index * 3, 3, at); };
    auto two = [&](int n) {
      *at++ = static_cast<char>('0' + n / 10 % 10);
      *at++ = static_cast<char>('0' + n % 10);
    };
    word(kDays, parts.tm_wday);
    *at++ = ',';
    *at++ = ' ';
    two(parts.tm_mday);
    *at++ = ' ';
    word(kMonths, parts.tm_mon);
    *at++ = ' ';
    two((parts.tm_year + 1900) / 100);
    two(parts.tm_year % 100);
    *at++ = ' ';
    two(parts.tm_hour);
    *at++ = ':';
    two(parts.tm_min);
    *at++ = ':';
    two(parts.tm_sec);
    std::copy_n(" GMT", 4, at);
    made_for = second;
  }
  return {text, 29};
}

}  // namespace duplex::http
