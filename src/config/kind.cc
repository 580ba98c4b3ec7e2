#include "duplex/config/kind.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace duplex::config {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 100)) + "\""; }
Status wrong(std::string_view text, std::string_view why) {
  return Status::invalid_argument(quoted(text) + std::string(why));
}

struct Unit {
  std::string_view name;
  uint64_t worth;
};
constexpr Unit kDurations[] = {{"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
                               {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1}};
constexpr Unit kSizes[] = {{"GiB", 1 << 30},  {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1'000'000'000},
                           {"MB", 1'000'000}, {"kB", 1'000},    {"B", 1}};

// The sum of "<number><unit>" pairs. nullopt: it is not made of them, or does not fit.
template <size_t N>
std::optional<uint64_t> amount(std::string_view text, const Unit (&units)[N]) {
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t sum = 0;
  while (!text.empty()) {
    size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    std::string_view number = text.substr(0, digits);
    text.remove_prefix(digits);
    std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    text.remove_prefix(name.size());
    auto unit = std::find_if(std::begin(units), std::end(units), [&](const Unit& u) { return u.name == name; });
    if (unit == std::end(units)) return std::nullopt;
    uint64_t whole = 0, part = 0;
    if (number.find('.') == std::string_view::npos) {
      if (std::from_chars(number.data(), number.data() + number.size(), whole).ec != std::errc()) return std::nullopt;
      if (__builtin_mul_overflow(whole, unit->worth, &part)) return std::nullopt;
    } else {
      double real = 0;
      auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), real);
      if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
      real = std::round(real * static_cast<double>(unit->worth));
      if (real >= static_cast<double>(kMost)) return std::nullopt;
      part = static_cast<uint64_t>(real);
    }
    if (__builtin_add_overflow(sum, part, &sum) || sum > kMost) return std::nullopt;
  }
  return sum;
}

// In the largest unit in which it is whole.
template <size_t N>
std::string show_amount(uint64_t value, const Unit (&units)[N]) {
  if (value == 0) return "0";
  for (const Unit& unit : units)
    if (value % unit.worth == 0) return std::to_string(value / unit.worth) + std::string(unit.name);
  return "";
}

size_t distance(std::string_view a, std::string_view b) {  // Levenshtein's
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t up = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = up;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string>& known) {
  auto lowered = [](std::string_view w) {
    std::string out(w.substr(0, 64));
    for (char& c : out) c = c == '-' ? '_' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    return out;
  };
  const std::string plain = lowered(word);
  std::string_view best;
  size_t least = std::max<size_t>(2, plain.size() / 3) + 1;
  for (const std::string& original : known) {
    const std::string name = lowered(original);
    bool part = std::min(plain.size(), name.size()) > 2 && (plain.starts_with(name) || name.starts_with(plain));
    size_t d = part ? 1 : distance(plain, name);
    if (d >= least || d >= name.size()) continue;
    least = d;
    best = original;
  }
  return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  if (std::string_view near = nearest(word, known); !near.empty()) return "did you mean " + quoted(near) + "?";
  std::string all;
  for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
  return "known here: " + all;
}

Kind<std::string> text() {
  return {"text", "", [](std::string_view t) -> Result<std::string> { return std::string(t); },
          [](const std::string& t) { return t.empty() ? "\"\"" : t; }};
}

Kind<std::string> nonempty_text() {
  Kind<std::string> kind = text();
  kind.parse = [](std::string_view t) -> Result<std::string> {
    if (t.empty()) return wrong(t, ": a text is needed here");
    return std::string(t);
  };
  return kind;
}

Kind<bool> boolean() {
  return {"true or false", "",
          [](std::string_view t) -> Result<bool> {
            if (t == "true") return true;
            if (t == "false") return false;
            return wrong(t, " is neither true nor false");
          },
          [](const bool& b) { return std::string(b ? "true" : "false"); }};
}

Kind<Duration> duration(Duration least, Duration most) {
  auto show = [](const Duration& d) { return show_amount(static_cast<uint64_t>(d.count()), kDurations); };
  return {"duration", "",
          [=](std::string_view t) -> Result<Duration> {
            auto n = amount(t, kDurations);
            if (!n)
              return wrong(t, " is not a duration: write a number and its unit (ns, us, ms, s, m, h), such as 250ms");
            Duration d(static_cast<int64_t>(*n));
            if (d < least) return wrong(t, " is less than " + show(least) + ", the least allowed");
            if (d > most) return wrong(t, " is more than " + show(most) + ", the most allowed");
            return d;
          },
          show};
}

Kind<uint64_t> size(uint64_t least, uint64_t most) {
  auto show = [](const uint64_t& n) { return show_amount(n, kSizes); };
  return {"size", "",
          [=](std::string_view t) -> Result<uint64_t> {
            auto n = amount(t, kSizes);
            if (!n)
              return wrong(t,
                           " is not a size: write a number and its unit (B, KiB, MiB, GiB, kB, MB, GB), such as 4MiB");
            if (*n < least) return wrong(t, " is less than " + show(least) + ", the least allowed");
            if (*n > most) return wrong(t, " is more than " + show(most) + ", the most allowed");
            return *n;
          },
          show};
}

Kind<int64_t> integer(int64_t least, int64_t most, std::string unit) {
  return {"whole number", std::move(unit),
          [=](std::string_view t) -> Result<int64_t> {
            int64_t n = 0;
            auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), n);
            if (error == std::errc::result_out_of_range) return wrong(t, " is out of range");
            if (error != std::errc() || end != t.data() + t.size()) return wrong(t, " is not a whole number");
            if (n < least) return wrong(t, " is less than " + std::to_string(least) + ", the least allowed");
            if (n > most) return wrong(t, " is more than " + std::to_string(most) + ", the most allowed");
            return n;
          },
          [](const int64_t& n) { return std::to_string(n); }};
}

namespace {

std::string shown(double n) {
  char digits[32];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, n);
  return std::string(digits, error == std::errc() ? end : digits);
}

std::optional<double> decimal(std::string_view t) {
  double n = 0;
  auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), n, std::chars_format::fixed);
  if (t.empty() || error != std::errc() || end != t.data() + t.size() || !std::isfinite(n)) return std::nullopt;
  return n;
}

Result<double> within(std::string_view text, double n, double least, double most) {
  if (n < least) return wrong(text, " is less than " + shown(least) + ", the least allowed");
  if (n > most) return wrong(text, " is more than " + shown(most) + ", the most allowed");
  return n;
}

}  // namespace

Kind<double> number(double least, double most, std::string unit) {
  return {"number", std::move(unit),
          [=](std::string_view t) -> Result<double> {
            std::optional<double> n = decimal(t);
            if (!n) return wrong(t, " is not a number");
            return within(t, *n, least, most);
          },
          [](const double& n) { return shown(n); }};
}

Kind<double> share() {
  return {"share", "",
          [](std::string_view t) -> Result<double> {
            const bool percent = t.ends_with('%');
            std::optional<double> n = decimal(percent ? t.substr(0, t.size() - 1) : t);
            if (!n) return wrong(t, " is not a share: write 0.5 or 50%");
            return within(t, percent ? *n / 100 : *n, 0, 1);
          },
          [](const double& n) { return shown(n); }};
}

Kind<double> rate(double least, double most) {
  return {"rate", "",
          [=](std::string_view t) -> Result<double> {
            const size_t slash = t.find('/');
            std::string_view unit = slash == t.npos ? std::string_view() : t.substr(slash + 1);
            std::optional<double> n = decimal(t.substr(0, slash));
            const double seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
            if (!n || seconds == 0) return wrong(t, " is not a rate: write 10/s, 600/m or 1000/h");
            return within(t, *n / seconds, least, most);
          },
          [](const double& n) { return shown(n) + "/s"; }};
}

Kind<std::string> address() {
  auto parse = [](std::string_view t) -> Result<std::string> {
    constexpr std::string_view kUnix = "unix:", kHow = " is not an address: write host:port, [::]:port or unix:/path";
    if (t.starts_with(kUnix)) {
      if (t.size() == kUnix.size()) return wrong(t, " names no path");
      // sun_path holds 108 octets with its end (unix(7)).
      if (t.size() - kUnix.size() > 107) return wrong(t, ": the path of a unix socket has at most 107 octets");
      return std::string(t);
    }
    size_t colon = t.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return wrong(t, kHow);
    std::string_view host = t.substr(0, colon), port = t.substr(colon + 1);
    bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
    if (bracketed && host.find(':') == std::string_view::npos)
      return wrong(t, ": brackets are for an IPv6 address, such as [::1]:8080");
    if (!bracketed && host.find_first_of(":[]/ @") != std::string_view::npos) return wrong(t, kHow);
    unsigned number = 0;
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (port.empty() || error != std::errc() || end != port.data() + port.size() || number > 65535)
      return wrong(t, ": the port is not a number from 0 to 65535");
    return std::string(t);
  };
  return {"address", "", parse, [](const std::string& t) { return t; }};
}

}  // namespace duplex::config
