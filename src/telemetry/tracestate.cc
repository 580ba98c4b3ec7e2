#include <algorithm>
#include <array>

#include "duplex/telemetry/trace_context.h"

namespace duplex {
namespace {

constexpr size_t kMaxMembers = 32, kMaxKept = 1024, kMaxKey = 256, kMaxValue = 256;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_key_rest(char c) { return is_lower_or_digit(c) || c == '_' || c == '-' || c == '*' || c == '/'; }

bool is_simple_key(std::string_view key, size_t longest, bool digit_first) {
  if (key.empty() || key.size() > longest || !is_lower_or_digit(key[0])) return false;
  if (!digit_first && key[0] <= '9') return false;
  return std::all_of(key.begin(), key.end(), is_key_rest);
}

bool is_key(std::string_view key) {
  size_t at = key.find('@');
  if (at == std::string_view::npos) return is_simple_key(key, kMaxKey, true);
  return is_simple_key(key.substr(0, at), 241, true) && is_simple_key(key.substr(at + 1), 14, false);
}

bool is_value(std::string_view value) {
  return !value.empty() && value.size() <= kMaxValue && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

std::string_view trim(std::string_view text) {
  size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

}  // namespace

std::string clean_tracestate(std::string_view text) {
  std::array<std::string_view, kMaxMembers> keys;
  size_t count = 0;
  std::string out;
  bool full = false;
  for (bool more = true; more;) {
    size_t comma = text.find(',');
    std::string_view member = trim(text.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    if (member.empty()) continue;
    size_t equals = member.find('=');
    if (equals == std::string_view::npos || count == kMaxMembers) return {};
    std::string_view key = member.substr(0, equals);
    if (!is_key(key) || !is_value(member.substr(equals + 1))) return {};
    if (std::find(keys.begin(), keys.begin() + count, key) != keys.begin() + count) return {};
    keys[count++] = key;
    full = full || out.size() + member.size() + 1 > kMaxKept;
    if (full) continue;  // still judged, no longer kept
    if (!out.empty()) out += ',';
    out += member;
  }
  return out;
}

}  // namespace duplex
