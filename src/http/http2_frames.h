// HTTP/2 frames as octets (RFC 9113 sections 4, 6 and 7): the head of each, those of a fixed form, and the reader that
// cuts what arrives into frames.
#pragma once

#include <cstdint>
#include <string_view>

#include "duplex/base/bytes.h"

namespace duplex::http {

enum class FrameType : uint8_t {
  kData,
  kHeaders,
  kPriority,
  kRstStream,
  kSettings,
  kPushPromise,
  kPing,
  kGoaway,
  kWindowUpdate,
  kContinuation
};

inline constexpr uint8_t kFlagEndStream = 1, kFlagAck = 1, kFlagEndHeaders = 4, kFlagPadded = 8, kFlagPriority = 32;

enum class Http2Error : uint32_t {
  kNoError,
  kProtocolError,
  kInternalError,
  kFlowControlError,
  kSettingsTimeout,
  kStreamClosed,
  kFrameSizeError,
  kRefusedStream,
  kCancel,
  kCompressionError,
  kConnectError,
  kEnhanceYourCalm,
  kInadequateSecurity,
  kHttp11Required
};
// "PROTOCOL_ERROR"; "error 77" for one that is not in the registry.
std::string error_name(uint32_t code);

enum class Setting : uint16_t {
  kHeaderTableSize = 1,
  kEnablePush = 2,
  kMaxConcurrentStreams = 3,
  kInitialWindowSize = 4,
  kMaxFrameSize = 5,
  kMaxHeaderListSize = 6
};

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kFrameHeadSize = 9;
inline constexpr size_t kMaxFrameSize = 16384;          // of a payload: the least that each peer takes, and all we take
inline constexpr uint32_t kLargestId = 0x7fff'ffff;     // of a stream
inline constexpr int64_t kLargestWindow = 0x7fff'ffff;  // section 6.9.1
inline constexpr uint32_t kDefaultInitialWindow = 65'535;  // section 6.9.2

inline uint32_t read_u32(const char* from) {
  uint32_t n;
  std::memcpy(&n, from, sizeof n);
  return __builtin_bswap32(n);
}
inline void write_u32(char* to, uint32_t n) {
  n = __builtin_bswap32(n);
  std::memcpy(to, &n, sizeof n);
}

struct FrameHead {
  uint32_t size = 0;  // of the payload
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;

  static FrameHead read(const char* from) {
    FrameHead head;
    uint32_t size_and_type = read_u32(from);
    head.size = size_and_type >> 8;
    head.type = static_cast<FrameType>(size_and_type & 255);
    head.flags = static_cast<uint8_t>(from[4]);
    head.stream = read_u32(from + 5) & kLargestId;
    return head;
  }
  void write(char* to) const {
    write_u32(to, size << 8 | static_cast<uint32_t>(type));
    to[4] = static_cast<char>(flags);
    write_u32(to + 5, stream);
  }
};

// Each appends a whole frame.
struct SettingValue {
  Setting id;
  uint32_t value;
};
void append_settings(Buffer& out, std::initializer_list<SettingValue> settings);
void append_settings_ack(Buffer& out);
void append_rst_stream(Buffer& out, uint32_t stream, uint32_t code);
void append_window_update(Buffer& out, uint32_t stream, uint32_t increment);
// `opaque` has 8 octets.
void append_ping(Buffer& out, bool ack, std::string_view opaque);
// `debug` is for the peer's log.
void append_goaway(Buffer& out, uint32_t last_stream, uint32_t code, std::string_view debug);

// Cuts what arrives into frames. A frame that comes whole is handed over where it lies; of one that does not, what is
// there is kept: kMaxFrameSize at most.
class FrameReader {
 public:
  // What follows the octets of before. It is held until next() says kMore.
  void feed(std::string_view octets) { input_ = octets; }
  enum class Step : uint8_t { kFrame, kMore, kTooLarge };
  // The payload holds until the next call.
  Step next(FrameHead& head, std::string_view& payload);
  // Octets kept of a frame that is not whole.
  size_t kept() const { return delivered_ ? 0 : partial_.size(); }

 private:
  Step next_of_partial(FrameHead& head, std::string_view& payload);
  void keep(size_t until);

  std::string_view input_;
  Buffer partial_;
  bool delivered_ = false;  // partial_ is the frame handed over last
};

}  // namespace duplex::http
