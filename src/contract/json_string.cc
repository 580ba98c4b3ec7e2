#include "contract/json_string.h"

#include <simdjson.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace duplex::contract {

namespace {

// Octets at once in a number: exact in each, since no borrow goes from one to the next.
template <class Word>
constexpr Word kEach = static_cast<Word>(0x0101010101010101u);
template <class Word>
constexpr Word kHighs = static_cast<Word>(0x8080808080808080u);
template <class Word>
Word zeros(Word v) {
  return ~(((v & ~kHighs<Word>)+~kHighs<Word>) | v) & kHighs<Word>;
}
template <class Word>
bool has_special(Word v) {
  return zeros<Word>(v ^ (kEach<Word> * '"')) | zeros<Word>(v ^ (kEach<Word> * '\\')) |
         zeros<Word>(v & (kEach<Word> * 0xe0));
}

// A block of octets, and which of them are special: a mask whose lowest set bit belongs to the first.
#ifdef __SSE2__
struct Block {
  static constexpr size_t kSize = 16;
  static constexpr int kBitsAnOctet = 1;
  __m128i octets;
  explicit Block(const char* from) : octets(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))) {}
  void store(char* to) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), octets); }
  static uint64_t mask(__m128i found) { return static_cast<uint32_t>(_mm_movemask_epi8(found)); }
  __m128i is(char c) const { return _mm_cmpeq_epi8(octets, _mm_set1_epi8(c)); }
  uint64_t quotes_and_backslashes() const { return mask(_mm_or_si128(is('"'), is('\\'))); }
  uint64_t to_escape() const {
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(octets, _mm_set1_epi8(0x20)), octets);  // those that are none
    return mask(_mm_or_si128(is('"'), is('\\'))) | (mask(control) ^ 0xffff);
  }
  bool has_high() const { return mask(octets) != 0; }
  static uint64_t without_one_at(size_t octet) { return ~(uint64_t{1} << octet); }
  static uint64_t without_two_at(size_t octet) { return ~(uint64_t{3} << octet); }
};
#else
struct Block {
  static constexpr size_t kSize = 8;
  static constexpr int kBitsAnOctet = 8;
  uint64_t octets;
  explicit Block(const char* from) {
    std::memcpy(&octets, from, 8);
    if constexpr (std::endian::native == std::endian::big) octets = __builtin_bswap64(octets);
  }
  void store(char* to) const {
    const uint64_t v = std::endian::native == std::endian::big ? __builtin_bswap64(octets) : octets;
    std::memcpy(to, &v, 8);
  }
  uint64_t is(char c) const { return zeros<uint64_t>(octets ^ (kEach<uint64_t> * static_cast<unsigned char>(c))); }
  uint64_t quotes_and_backslashes() const { return is('"') | is('\\'); }
  uint64_t to_escape() const { return quotes_and_backslashes() | zeros<uint64_t>(octets & (kEach<uint64_t> * 0xe0)); }
  bool has_high() const { return (octets & kHighs<uint64_t>) != 0; }
  static uint64_t without_one_at(size_t octet) { return ~(uint64_t{0xff} << (8 * octet)); }
  static uint64_t without_two_at(size_t octet) { return ~(uint64_t{0xffff} << (8 * octet)); }
};
#endif

size_t first_of(uint64_t mask) { return static_cast<size_t>(std::countr_zero(mask) / Block::kBitsAnOctet); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hex digits; -1: they are none. A quote ends it, so this never leaves the string.
int hex_unit(const char* from) {
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(from[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

char* write_utf8(uint32_t point, char* to) {
  if (point < 0x80) {
    *to++ = static_cast<char>(point);
  } else if (point < 0x800) {
    *to++ = static_cast<char>(0xc0 | point >> 6);
    *to++ = static_cast<char>(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *to++ = static_cast<char>(0xe0 | point >> 12);
    *to++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (point & 0x3f));
  } else {
    *to++ = static_cast<char>(0xf0 | point >> 18);
    *to++ = static_cast<char>(0x80 | (point >> 12 & 0x3f));
    *to++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (point & 0x3f));
  }
  return to;
}

// `from`: after "\u". Moves it past what belongs to the character. Null: it is none.
char* unescape_unicode(const char*& from, char* to) {
  const int first = hex_unit(from);
  if (first < 0) return nullptr;
  from += 4;
  if (first < 0xd800 || first > 0xdfff) return write_utf8(static_cast<uint32_t>(first), to);
  if (first > 0xdbff || from[0] != '\\' || from[1] != 'u') return nullptr;
  const int second = hex_unit(from + 2);
  if (second < 0xdc00 || second > 0xdfff) return nullptr;
  from += 6;
  return write_utf8(static_cast<uint32_t>(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), to);
}

// What a letter after a backslash stands for; 0: nothing, or "u". A table, since which one it is cannot be foreseen.
constexpr std::array<char, 256> short_escapes() {
  std::array<char, 256> all{};
  all['"'] = '"';
  all['\\'] = '\\';
  all['/'] = '/';
  all['b'] = '\b';
  all['f'] = '\f';
  all['n'] = '\n';
  all['r'] = '\r';
  all['t'] = '\t';
  return all;
}
constexpr std::array<char, 256> kShortEscapes = short_escapes();

struct Escape {
  char text[7];
  uint8_t size;
};

constexpr std::array<Escape, 256> escapes() {
  std::array<Escape, 256> all{};
  constexpr char hex[] = "0123456789abcdef";
  for (unsigned c = 0; c < 256; ++c) {
    Escape& e = all[c];
    char s = 0;
    if (c == '"' || c == '\\') s = static_cast<char>(c);
    if (c == '\b') s = 'b';
    if (c == '\f') s = 'f';
    if (c == '\n') s = 'n';
    if (c == '\r') s = 'r';
    if (c == '\t') s = 't';
    if (s) {
      e = {{'\\', s}, 2};
    } else if (c < 0x20) {
      e = {{'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6};
    } else {
      e = {{static_cast<char>(c)}, 1};
    }
  }
  return all;
}
constexpr std::array<Escape, 256> kEscapes = escapes();

// Copies one to two words of octets, unless one of them is to be escaped.
template <class Word>
bool copy_plain(const char* from, size_t size, char* to, bool& high) {
  Word first, last;
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&last, from + size - sizeof last, sizeof last);
  if (has_special(first) || has_special(last)) return false;
  high |= ((first | last) & kHighs<Word>) != 0;
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + size - sizeof last, &last, sizeof last);
  return true;
}

char* write_escape(unsigned char c, char* to) {
  std::memcpy(to, &kEscapes[c], 8);
  return to + kEscapes[c].size;
}

}  // namespace

char* unescape_json(const char* from, char* to) {
  for (;;) {
    const Block block(from);
    block.store(to);
    uint64_t special = block.quotes_and_backslashes();
    // All that one look has found: the next look then does not wait for what is done with this one.
    size_t done = 0;
    bool in_step = true;
    while (special) {
      const size_t at = first_of(special);
      Block(from + done).store(to);
      to += at - done;
      if (from[at] == '"') return to;
      const char escaped = kShortEscapes[static_cast<unsigned char>(from[at + 1])];
      if (!escaped) {
        if (from[at + 1] != 'u') return nullptr;
        from += at + 2;
        to = unescape_unicode(from, to);
        if (!to) return nullptr;
        in_step = false;
        break;
      }
      *to++ = escaped;
      done = at + 2;
      special &= Block::without_two_at(at);
    }
    if (!in_step) continue;
    if (done < Block::kSize) {
      Block(from + done).store(to);
      to += Block::kSize - done;
      done = Block::kSize;
    }
    from += done;
  }
}

bool plain_json(const char* from, std::string_view& text) {
  for (const char* at = from;; at += Block::kSize) {
    const uint64_t special = Block(at).quotes_and_backslashes();
    if (!special) continue;
    at += first_of(special);
    text = {from, static_cast<size_t>(at - from)};
    return *at == '"';
  }
}

char* escape_json(std::string_view text, char* to, bool& ascii) {
  const char* from = text.data();
  const char* const end = from + text.size();
  bool high = false;
  // A block and as much again may be read here: the rest after each escape is copied as a whole block.
  while (static_cast<size_t>(end - from) >= 2 * Block::kSize) {
    const Block block(from);
    high |= block.has_high();
    block.store(to);
    size_t done = 0;
    for (uint64_t special = block.to_escape(); special; special &= Block::without_one_at(done - 1)) {
      const size_t at = first_of(special);
      Block(from + done).store(to);
      to = write_escape(static_cast<unsigned char>(from[at]), to + (at - done));
      done = at + 1;
    }
    Block(from + done).store(to);
    to += Block::kSize - done;
    from += Block::kSize;
  }
  while (static_cast<size_t>(end - from) >= Block::kSize) {
    const Block block(from);
    high |= block.has_high();
    block.store(to);
    const uint64_t special = block.to_escape();
    const size_t plain = special ? first_of(special) : Block::kSize;
    to += plain;
    from += plain;
    if (special) to = write_escape(static_cast<unsigned char>(*from++), to);
  }
  const auto left = static_cast<size_t>(end - from);
  // Two pieces that overlap are quicker than a loop, and most texts end so.
  if (left >= 8 && copy_plain<uint64_t>(from, left, to, high)) {
    to += left;
  } else if (left >= 4 && left < 8 && copy_plain<uint32_t>(from, left, to, high)) {
    to += left;
  } else {
    for (; from != end; ++from) {
      const auto c = static_cast<unsigned char>(*from);
      high |= c >= 0x80;
      to = write_escape(c, to);
    }
  }
  if (high) ascii = false;
  return to;
}

bool is_utf8_text(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace duplex::contract
