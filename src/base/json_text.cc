#include "duplex/base/json_text.h"

#include <cstdint>
#include <cstring>

namespace duplex {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;

// Does none of eight octets need a look: all in 0x20..0x7e, no quote, no backslash?
bool plain(uint64_t eight) {
  auto zero_octet = [](uint64_t v) { return (v - kOnes) & ~v & kHighs; };
  uint64_t below_space = (eight - kOnes * 0x20) & ~eight & kHighs;
  return !((eight & kHighs) | below_space | zero_octet(eight ^ (kOnes * '"')) | zero_octet(eight ^ (kOnes * '\\')) |
           zero_octet(eight ^ (kOnes * 0x7f)));
}

bool plain_at(const char* p) {
  uint64_t eight;
  std::memcpy(&eight, p, 8);
  return plain(eight);
}

// The usual case, such as an address: the last eight octets are looked at once more instead of one by one.
bool all_plain(std::string_view text) {
  if (text.size() < 8) return false;
  for (size_t i = 0; i + 8 < text.size(); i += 8)
    if (!plain_at(text.data() + i)) return false;
  return plain_at(text.data() + text.size() - 8);
}

char* write_escaped(char* to, unsigned char c) {
  *to++ = '\\';
  switch (c) {
    case '"':
      *to++ = '"';
      return to;
    case '\\':
      *to++ = '\\';
      return to;
    case '\n':
      *to++ = 'n';
      return to;
    case '\r':
      *to++ = 'r';
      return to;
    case '\t':
      *to++ = 't';
      return to;
    default:
      break;
  }
  std::memcpy(to, "u00", 3);
  to[3] = "0123456789abcdef"[c >> 4];
  to[4] = "0123456789abcdef"[c & 15];
  return to + 5;
}

struct Sequence {
  size_t size;
  bool valid;
};

// The UTF-8 sequence that starts here with an octet >= 0x80, or the longest wrong start of one (Unicode 3.9, table
// 3-7).
Sequence sequence_at(const unsigned char* p, size_t left) {
  unsigned char low = 0x80, high = 0xbf;
  size_t size = 0;
  if (*p >= 0xc2 && *p <= 0xdf)
    size = 2;
  else if (*p >= 0xe0 && *p <= 0xef)
    size = 3;
  else if (*p >= 0xf0 && *p <= 0xf4)
    size = 4;
  else
    return {1, false};
  if (*p == 0xe0)
    low = 0xa0;
  else if (*p == 0xed)
    high = 0x9f;
  else if (*p == 0xf0)
    low = 0x90;
  else if (*p == 0xf4)
    high = 0x8f;
  for (size_t i = 1; i < size; ++i, low = 0x80, high = 0xbf)
    if (i >= left || p[i] < low || p[i] > high) return {i, false};
  return {size, true};
}

}  // namespace

char* write_json_text(char* to, std::string_view text) {
  if (all_plain(text)) {
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
  }
  auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* end = p + text.size();
  while (p != end) {
    if (end - p >= 8) {
      if (plain_at(reinterpret_cast<const char*>(p))) {
        std::memcpy(to, p, 8);
        to += 8;
        p += 8;
        continue;
      }
    }
    if (*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f) {
      to = write_escaped(to, *p++);
    } else if (*p < 0x80) {
      *to++ = static_cast<char>(*p++);
    } else {
      Sequence s = sequence_at(p, static_cast<size_t>(end - p));
      if (s.valid) {
        std::memcpy(to, p, s.size);
        to += s.size;
      } else {
        std::memcpy(to, "\xef\xbf\xbd", 3);
        to += 3;
      }
      p += s.size;
    }
  }
  return to;
}

std::string json_quoted(std::string_view text) {
  std::string out(text.size() * kJsonTextGrowth + 2, '\0');
  out[0] = '"';
  char* end = write_json_text(out.data() + 1, text);
  *end++ = '"';
  out.resize(static_cast<size_t>(end - out.data()));
  return out;
}

}  // namespace duplex
