#include "http/hpack_huffman.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace duplex::http {

namespace {

// Appendix B's code is canonical (codes of one length follow each other in the order of their octets, after the shorter
// ones), so that its lengths say all of it. EOS is the last code, thirty ones.
constexpr int kLongest = 30;
constexpr std::array<uint8_t, 256> kLengths = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,  // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,  // 0x10
    6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,   // blank to /
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10,  // 0 to ?
    13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,   // @ to O
    7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,   // P to _
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,   // ` to o
    6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28,  // p to DEL
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,  // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,  // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,  // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,  // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,  // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,  // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,  // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,  // 0xf0
};

// What is decoded in one step: the first kStep bits are the place of one or two octets. Two codes of six bits fit,
// which is most of what fields are made of, and the table is half of a first-level cache.
constexpr int kStep = 12;
struct Step {
  uint8_t first, second;
  uint8_t bits;   // of one code or both
  uint8_t count;  // 0: the code is longer than kStep
};

struct Code {
  uint32_t bits = 0;
  uint32_t length = 0;
};

// For codes that are longer than a step, by their length: the first code, how many there are, and where their octets
// begin in `octets`.
struct Length {
  uint32_t first = 0;
  uint16_t count = 0, at = 0;
};

struct Tables {
  std::array<Code, 256> codes{};
  std::array<uint8_t, 256> octets{};  // in the order of their codes
  std::array<Length, kLongest + 1> lengths{};
  std::array<Step, 1 << kStep> steps{};

  constexpr Tables() {
    uint32_t code = 0;
    uint16_t at = 0;
    for (int length = 1; length <= kLongest; ++length, code <<= 1) {
      lengths[length].first = code;
      lengths[length].at = at;
      for (int octet = 0; octet < 256; ++octet) {
        if (kLengths[octet] != length) continue;
        codes[octet] = {code++, static_cast<uint32_t>(length)};
        octets[at++] = static_cast<uint8_t>(octet);
      }
      lengths[length].count = static_cast<uint16_t>(at - lengths[length].at);
    }
    for (int octet = 0; octet < 256; ++octet) fill(octet);
  }

 private:
  constexpr void fill(int octet) {
    const int length = kLengths[octet];
    if (length > kStep) return;
    const uint32_t from = codes[octet].bits << (kStep - length);
    const uint8_t bits = static_cast<uint8_t>(length);
    for (uint32_t i = 0; i < 1u << (kStep - length); ++i) steps[from + i] = {static_cast<uint8_t>(octet), 0, bits, 1};
    for (int next = 0; next < 256; ++next) {
      const int both = length + kLengths[next];
      if (both > kStep) continue;
      const uint32_t begin = from + (codes[next].bits << (kStep - both));
      for (uint32_t i = 0; i < 1u << (kStep - both); ++i)
        steps[begin + i] = {static_cast<uint8_t>(octet), static_cast<uint8_t>(next), static_cast<uint8_t>(both), 2};
    }
  }
};
constexpr Tables kTables;

uint64_t big_endian(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

// The octets from `from` on at the top of a word, with zeros behind if the text ends within.
uint64_t upcoming(std::string_view text, const char* from, size_t left) {
  if (left >= 8) return big_endian(from);
  if (text.size() >= 8) return big_endian(from + left - 8) << (64 - 8 * left);
  uint64_t word = 0;
  for (size_t i = 0; i < left; ++i) word |= uint64_t{static_cast<uint8_t>(from[i])} << (56 - 8 * i);
  return word;
}

// One code of more than kStep bits at the top of `window`. Its length, or 0 if it is EOS.
int long_code(uint64_t window, char* to) {
  for (int length = kStep + 1; length <= kLongest; ++length) {
    const Length& l = kTables.lengths[length];
    const uint32_t past = static_cast<uint32_t>(window >> (64 - length)) - l.first;
    if (past >= l.count) continue;
    *to = static_cast<char>(kTables.octets[l.at + past]);
    return length;
  }
  return 0;
}

}  // namespace

size_t huffman_length(std::string_view text) {
  size_t bits = 0;
  for (char c : text) bits += kLengths[static_cast<uint8_t>(c)];
  return (bits + 7) / 8;
}

void huffman_encode(std::string_view text, char* to) {
  uint64_t held = 0;  // the low `bits` bits of it are not yet written
  unsigned bits = 0;
  for (char c : text) {
    const Code code = kTables.codes[static_cast<uint8_t>(c)];
    held = held << code.length | code.bits;
    bits += code.length;
    if (bits < 32) continue;
    bits -= 32;
    const uint32_t word = static_cast<uint32_t>(held >> bits);
    const uint32_t octets = std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
    std::memcpy(to, &octets, sizeof octets);
    to += sizeof octets;
  }
  for (; bits >= 8; bits -= 8) *to++ = static_cast<char>(held >> (bits - 8));
  if (bits) *to = static_cast<char>(held << (8 - bits) | 0xff >> bits);
}

char* huffman_decode(std::string_view encoded, char* to) {
  const char* from = encoded.data();
  size_t left = encoded.size();
  uint64_t window = 0;  // its top `bits` bits are the next ones
  int bits = 0;
  while (left) {
    window |= upcoming(encoded, from, left) >> bits;  // what it had below `bits` are these already
    const size_t taken = std::min<size_t>(left, static_cast<size_t>(63 - bits) / 8);
    from += taken;
    left -= taken;
    bits += static_cast<int>(taken) * 8;
    const int least = left ? kLongest : kStep;
    while (bits >= least) {
      const Step step = kTables.steps[window >> (64 - kStep)];
      if (step.count) [[likely]] {
        to[0] = static_cast<char>(step.first);
        to[1] = static_cast<char>(step.second);
        to += step.count;
        window <<= step.bits;
        bits -= step.bits;
        continue;
      }
      const int length = long_code(window, to);
      if (!length || length > bits) return nullptr;
      ++to;
      window <<= length;
      bits -= length;
    }
  }
  // The last bits: code by code, with ones behind them, which complete no code.
  while (bits) {
    window |= ~uint64_t{0} >> bits;
    const Step step = kTables.steps[window >> (64 - kStep)];
    const int length = kLengths[step.first];
    if (!step.count || length > bits) return bits < 8 && !~window ? to : nullptr;
    *to++ = static_cast<char>(step.first);
    window <<= length;
    bits -= length;
  }
  return to;
}

}  // namespace duplex::http
