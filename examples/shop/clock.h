// The time as it is kept (milliseconds since 1970) and told (google.protobuf.Timestamp).
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <chrono>
#include <cstdint>

namespace shop {

inline int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

inline void set_time(google::protobuf::Timestamp& time, int64_t ms) {
  time.set_seconds(ms / 1000);
  time.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

}  // namespace shop
