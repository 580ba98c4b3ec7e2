#include "duplex/base/ids.h"

#include <sys/random.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace duplex {
namespace {

// xoshiro256** 1.0 (Blackman and Vigna, https://prng.di.unimi.it/xoshiro256starstar.c, public domain algorithm).
class Generator {
 public:
  uint64_t next() {
    if (!seeded_) seed();
    uint64_t result = std::rotl(state_[1] * 5, 7) * 9, t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  [[gnu::noinline, gnu::cold]] void seed() {
    // Up to 256 octets come whole, or not at all before the kernel has gathered entropy at boot.
    while (getrandom(state_.data(), sizeof state_, 0) != static_cast<ssize_t>(sizeof state_))
      if (errno != EINTR) std::abort();
    if (!(state_[0] | state_[1] | state_[2] | state_[3])) state_[0] = 1;  // the one state it never leaves
    seeded_ = true;
  }
  std::array<uint64_t, 4> state_{};
  bool seeded_ = false;
};

constinit thread_local Generator generator;

using Octets [[gnu::vector_size(16)]] = uint8_t;
using Words [[gnu::vector_size(16)]] = uint64_t;

std::string uuid_text(uint64_t high, uint64_t low) {
  char hex[32];
  write_hex(write_hex(hex, high), low);
  std::string text;
  text.reserve(36);
  for (auto [from, count] : {std::pair{0, 8}, {8, 4}, {12, 4}, {16, 4}, {20, 12}}) {
    if (from) text += '-';
    text.append(hex + from, static_cast<size_t>(count));
  }
  return text;
}

constexpr uint64_t kVariant = 0x8000000000000000u;  // the two high bits of the second half are 10
uint64_t variant_of(uint64_t low) { return (low & 0x3fffffffffffffffu) | kVariant; }

}  // namespace

uint64_t fast_random() { return generator.next(); }

// All sixteen digits at once: the nibbles of each octet beside each other, then to each its digit.
char* write_hex(char* to, uint64_t value) {
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kLow = 0x0f0f0f0f0f0f0f0fu;
  const uint64_t octets = __builtin_bswap64(value);
  const auto high = std::bit_cast<Octets>(Words{octets >> 4 & kLow, 0});
  const auto low = std::bit_cast<Octets>(Words{octets & kLow, 0});
  const Octets nibbles = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const Octets digits = nibbles + '0' + (Octets(nibbles > 9) & ('a' - '0' - 10));
  std::memcpy(to, &digits, sizeof digits);
  return to + sizeof digits;
}
std::optional<uint64_t> parse_hex(std::string_view digits) {
  if (digits.size() != 16) return std::nullopt;
  uint64_t value = 0;
  for (char c : digits) {
    if (c >= '0' && c <= '9')
      value = value << 4 | static_cast<uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | static_cast<uint64_t>(c - 'a' + 10);
    else
      return std::nullopt;
  }
  return value;
}

TraceId TraceId::random() {
  TraceId id;
  do id = {fast_random(), fast_random()};
  while (!id.valid());
  return id;
}

std::string TraceId::to_string() const {
  char text[32];
  return std::string(text, write(text));
}

SpanId SpanId::random() {
  SpanId id;
  do id.value = fast_random();
  while (!id.valid());
  return id;
}

std::string SpanId::to_string() const {
  char text[16];
  return std::string(text, write(text));
}

std::string uuid_v4() {
  uint64_t high = fast_random();
  return uuid_text((high & ~uint64_t{0xf000}) | 0x4000, variant_of(fast_random()));
}

std::string uuid_v7(std::chrono::system_clock::time_point when) {
  auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
  uint64_t ms = static_cast<uint64_t>(ns / 1'000'000);
  uint64_t fraction = static_cast<uint64_t>(ns % 1'000'000) * 4096 / 1'000'000;
  return uuid_text(ms << 16 | 0x7000 | fraction, variant_of(fast_random()));
}

}  // namespace duplex
