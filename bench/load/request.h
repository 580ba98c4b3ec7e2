// The requests that every benchmark sends, as gRPC frames. Written by hand in protobuf's encoding, so that the
// generators need none of the two sides' classes; `h2_load verify` shows that both servers read them.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace bench {

inline constexpr const char* kUnary = "/duplex.bench.Echo/Unary";
inline constexpr const char* kStream = "/duplex.bench.Echo/Stream";

inline void put_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}
inline void put_field(std::string& to, int number, std::string_view value) {
  put_varint(to, static_cast<uint64_t>(number) << 3 | 2);
  put_varint(to, value.size());
  to += value;
}
inline std::string framed(std::string_view message) {
  std::string frame(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(message.size() >> shift));
  return frame += message;
}

// EchoRequest, about 100 octets; its id and sequence tell calls apart, the size is always the same.
inline std::string request_message(int64_t index) {
  std::string m, item;
  char id[32];
  std::snprintf(id, sizeof id, "order-%010lld", static_cast<long long>(index));
  put_field(m, 1, id);
  put_varint(m, 2 << 3);
  put_varint(m, static_cast<uint64_t>(index) + (uint64_t{1} << 35));
  put_field(m, 3, "customer-000042");
  put_field(item, 1, "sku-1234");
  put_varint(item, 2 << 3);
  put_varint(item, 3);
  put_varint(item, 3 << 3 | 1);
  item.append("\x00\x00\x00\x00\x00\x80\x33\x40", 8);  // 19.5
  put_field(m, 4, item);
  put_field(m, 5, "0123456789abcdefghijklmnopqrstuv");
  return m;
}
inline std::string request_frame(int64_t index) { return framed(request_message(index)); }

inline std::string stream_frame(int64_t messages, int32_t octets) {
  std::string m;
  put_varint(m, 1 << 3);
  put_varint(m, static_cast<uint64_t>(messages));
  put_varint(m, 2 << 3);
  put_varint(m, static_cast<uint64_t>(octets));
  return framed(m);
}

}  // namespace bench
