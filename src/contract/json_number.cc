#include "contract/json_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace duplex::contract {

namespace {

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// The parts of a number that may have a point and an exponent.
struct Decimal {
  bool negative = false;
  std::string_view whole, fraction;
  int64_t exponent = 0;  // kept within a bound that no text of digits reaches
};

constexpr int64_t kMostExponent = int64_t{1} << 40;

bool split(std::string_view text, Decimal& parts) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto digits = [&] {
    const char* const begin = at;
    while (at != end && is_digit(*at)) ++at;
    return std::string_view(begin, static_cast<size_t>(at - begin));
  };
  if (at != end && *at == '-') {
    parts.negative = true;
    ++at;
  }
  parts.whole = digits();
  if (parts.whole.empty() || (parts.whole.size() > 1 && parts.whole[0] == '0')) return false;
  if (at != end && *at == '.') {
    ++at;
    parts.fraction = digits();
    if (parts.fraction.empty()) return false;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    bool down = false;
    if (at != end && (*at == '+' || *at == '-')) down = *at++ == '-';
    const std::string_view power = digits();
    if (power.empty()) return false;
    for (char c : power) parts.exponent = std::min(parts.exponent * 10 + (c - '0'), kMostExponent);
    if (down) parts.exponent = -parts.exponent;
  }
  return at == end;
}

bool append_digit(uint64_t& value, char c) {
  const auto digit = static_cast<uint64_t>(c - '0');
  if (value > std::numeric_limits<uint64_t>::max() / 10) return false;
  value *= 10;
  if (value > std::numeric_limits<uint64_t>::max() - digit) return false;
  value += digit;
  return true;
}

// With a point or an exponent.
bool exact_magnitude(std::string_view text, bool& negative, uint64_t& value) {
  Decimal parts;
  if (!split(text, parts)) return false;
  negative = parts.negative;
  value = 0;
  const size_t count = parts.whole.size() + parts.fraction.size();
  const auto digit = [&](size_t i) {
    return i < parts.whole.size() ? parts.whole[i] : parts.fraction[i - parts.whole.size()];
  };
  size_t first = 0;
  while (first < count && digit(first) == '0') ++first;
  if (first == count) return true;                                                  // zero, whatever its exponent
  const int64_t point = static_cast<int64_t>(parts.whole.size()) + parts.exponent;  // digits before it
  for (auto i = static_cast<int64_t>(first); i < point; ++i)
    if (!append_digit(value, static_cast<size_t>(i) < count ? digit(static_cast<size_t>(i)) : '0')) return false;
  for (size_t i = std::max(first, static_cast<size_t>(std::max<int64_t>(point, 0))); i < count; ++i)
    if (digit(i) != '0') return false;
  return true;
}

bool magnitude(std::string_view text, bool& negative, uint64_t& value) {
  const char* at = text.data();
  const char* const end = at + text.size();
  negative = at != end && *at == '-';
  if (negative) ++at;
  const auto length = static_cast<size_t>(end - at);
  if (length == 0) return false;
  if (length <= 19 && (*at != '0' || length == 1)) {  // 19 digits never overflow
    uint64_t sum = 0;
    while (at != end && is_digit(*at)) sum = sum * 10 + static_cast<uint64_t>(*at++ - '0');
    if (at == end) {
      value = sum;
      return true;
    }
  }
  return exact_magnitude(text, negative, value);
}

template <class T>
bool real(std::string_view text, T& value) {
  if (!is_json_number(text)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc()) return std::isfinite(value);
  // Out of range: too large, or so small that it is zero.
  Decimal parts;
  if (!split(text, parts)) return false;
  int64_t before_point = static_cast<int64_t>(parts.whole.size()) + parts.exponent;
  if (parts.whole == "0") {
    const size_t zeros = parts.fraction.find_first_not_of('0');
    before_point = parts.exponent - static_cast<int64_t>(zeros == std::string_view::npos ? 0 : zeros);
  }
  if (before_point > 0) return false;
  value = parts.negative ? -T(0) : T(0);
  return true;
}

template <class T>
char* shortest(char* to, T value) {
  const T size = std::abs(value);
  // Many are whole, and a whole number is written in a fraction of the time.
  if (size < T(1 << 24) && value == static_cast<T>(static_cast<int32_t>(value))) {
    if (value == T(0) && std::signbit(value)) *to++ = '-';
    return std::to_chars(to, to + kMostNumberText, static_cast<int32_t>(value)).ptr;
  }
  const bool plain = size >= T(1e-6) && size < T(1e21);
  return std::to_chars(to, to + kMostNumberText, value,
                       plain ? std::chars_format::fixed : std::chars_format::scientific)
      .ptr;
}

}  // namespace

bool is_json_number(std::string_view text) {
  Decimal parts;
  return split(text, parts);
}

bool parse_whole(std::string_view text, int64_t least, int64_t most, int64_t& value) {
  bool negative = false;
  uint64_t size = 0;
  if (!magnitude(text, negative, size)) return false;
  if (negative) {
    if (size > uint64_t{1} << 63) return false;
    value = static_cast<int64_t>(~size + 1);
    return value >= least;
  }
  if (size > static_cast<uint64_t>(most)) return false;
  value = static_cast<int64_t>(size);
  return true;
}

bool parse_whole(std::string_view text, uint64_t most, uint64_t& value) {
  bool negative = false;
  return magnitude(text, negative, value) && value <= most && (!negative || value == 0);
}

bool parse_real(std::string_view text, double& value) { return real(text, value); }
bool parse_real(std::string_view text, float& value) { return real(text, value); }

char* write_real(char* to, double value) { return shortest(to, value); }
char* write_real(char* to, float value) { return shortest(to, value); }

char* write_whole(char* to, int64_t value) { return std::to_chars(to, to + kMostNumberText, value).ptr; }
char* write_whole(char* to, uint64_t value) { return std::to_chars(to, to + kMostNumberText, value).ptr; }

}  // namespace duplex::contract
