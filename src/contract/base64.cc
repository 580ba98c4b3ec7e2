#include "contract/base64.h"

#include <array>
#include <cstdint>

namespace duplex::contract {

namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNone = 0xff;

constexpr std::array<uint8_t, 256> values() {
  std::array<uint8_t, 256> all{};
  all.fill(kNone);
  for (uint8_t i = 0; i < 64; ++i) all[static_cast<unsigned char>(kDigits[i])] = i;
  all['-'] = 62;
  all['_'] = 63;
  return all;
}
constexpr std::array<uint8_t, 256> kValues = values();

uint32_t value_of(char c) { return kValues[static_cast<unsigned char>(c)]; }
uint32_t octet(char c) { return static_cast<uint8_t>(c); }

std::string_view without_padding(std::string_view text) {
  if (text.size() % 4 != 0 || !text.ends_with('=')) return text;
  text.remove_suffix(text.ends_with("==") ? 2 : 1);
  return text;
}

}  // namespace

char* base64_encode(std::string_view bytes, char* to) {
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t group = octet(bytes[i]) << 16 | octet(bytes[i + 1]) << 8 | octet(bytes[i + 2]);
    *to++ = kDigits[group >> 18];
    *to++ = kDigits[group >> 12 & 63];
    *to++ = kDigits[group >> 6 & 63];
    *to++ = kDigits[group & 63];
  }
  const size_t left = bytes.size() - i;
  if (left == 0) return to;
  const uint32_t group = octet(bytes[i]) << 16 | (left == 2 ? octet(bytes[i + 1]) << 8 : 0);
  *to++ = kDigits[group >> 18];
  *to++ = kDigits[group >> 12 & 63];
  *to++ = left == 2 ? kDigits[group >> 6 & 63] : '=';
  *to++ = '=';
  return to;
}

std::string base64_encode(std::string_view bytes) {
  std::string out(base64_encoded_size(bytes.size()), '\0');
  base64_encode(bytes, out.data());
  return out;
}

size_t base64_decoded_size(std::string_view text) { return without_padding(text).size() * 3 / 4; }

bool base64_decode(std::string_view text, char* to) {
  text = without_padding(text);
  size_t i = 0;
  uint32_t wrong = 0;  // kNone has a bit that no digit has
  for (; i + 4 <= text.size(); i += 4) {
    const uint32_t a = value_of(text[i]), b = value_of(text[i + 1]), c = value_of(text[i + 2]),
                   d = value_of(text[i + 3]);
    wrong |= a | b | c | d;
    *to++ = static_cast<char>(a << 2 | b >> 4);
    *to++ = static_cast<char>(b << 4 | c >> 2);
    *to++ = static_cast<char>(c << 6 | d);
  }
  const size_t left = text.size() - i;
  if (left == 1) return false;
  if (left >= 2) {
    const uint32_t a = value_of(text[i]), b = value_of(text[i + 1]);
    wrong |= a | b;
    *to++ = static_cast<char>(a << 2 | b >> 4);
    if (left == 3) {
      const uint32_t c = value_of(text[i + 2]);
      wrong |= c;
      *to++ = static_cast<char>(b << 4 | c >> 2);
    }
  }
  return wrong < 64;
}

std::optional<std::string> base64_decode(std::string_view text) {
  std::string out(base64_decoded_size(text), '\0');
  if (!base64_decode(text, out.data())) return std::nullopt;
  return out;
}

}  // namespace duplex::contract
