#include "http/http2_frames.h"

#include <algorithm>
#include <string>

namespace duplex::http {
namespace {

char* frame(Buffer& out, uint32_t size, FrameType type, uint8_t flags, uint32_t stream) {
  char* at = out.extend(kFrameHeadSize + size);
  FrameHead{size, type, flags, stream}.write(at);
  return at + kFrameHeadSize;
}

}  // namespace

std::string error_name(uint32_t code) {
  constexpr std::string_view kNames[] = {"NO_ERROR",
                                         "PROTOCOL_ERROR",
                                         "INTERNAL_ERROR",
                                         "FLOW_CONTROL_ERROR",
                                         "SETTINGS_TIMEOUT",
                                         "STREAM_CLOSED",
                                         "FRAME_SIZE_ERROR",
                                         "REFUSED_STREAM",
                                         "CANCEL",
                                         "COMPRESSION_ERROR",
                                         "CONNECT_ERROR",
                                         "ENHANCE_YOUR_CALM",
                                         "INADEQUATE_SECURITY",
                                         "HTTP_1_1_REQUIRED"};
  return code < std::size(kNames) ? std::string(kNames[code]) : "error " + std::to_string(code);
}

void append_settings(Buffer& out, std::initializer_list<SettingValue> settings) {
  char* at = frame(out, static_cast<uint32_t>(6 * settings.size()), FrameType::kSettings, 0, 0);
  for (const SettingValue& s : settings) {
    at[0] = static_cast<char>(static_cast<uint16_t>(s.id) >> 8);
    at[1] = static_cast<char>(static_cast<uint16_t>(s.id) & 255);
    write_u32(at + 2, s.value);
    at += 6;
  }
}

void append_settings_ack(Buffer& out) { frame(out, 0, FrameType::kSettings, kFlagAck, 0); }

void append_rst_stream(Buffer& out, uint32_t stream, uint32_t code) {
  write_u32(frame(out, 4, FrameType::kRstStream, 0, stream), code);
}

void append_window_update(Buffer& out, uint32_t stream, uint32_t increment) {
  write_u32(frame(out, 4, FrameType::kWindowUpdate, 0, stream), increment);
}

void append_ping(Buffer& out, bool ack, std::string_view opaque) {
  std::memcpy(frame(out, 8, FrameType::kPing, ack ? kFlagAck : uint8_t{0}, 0), opaque.data(), 8);
}

void append_goaway(Buffer& out, uint32_t last_stream, uint32_t code, std::string_view debug) {
  char* at = frame(out, static_cast<uint32_t>(8 + debug.size()), FrameType::kGoaway, 0, 0);
  write_u32(at, last_stream);
  write_u32(at + 4, code);
  if (!debug.empty()) std::memcpy(at + 8, debug.data(), debug.size());
}

FrameReader::Step FrameReader::next(FrameHead& head, std::string_view& payload) {
  if (delivered_) {
    delivered_ = false;
    partial_ = Buffer();
  }
  if (!partial_.empty()) return next_of_partial(head, payload);
  if (input_.size() >= kFrameHeadSize) {
    head = FrameHead::read(input_.data());
    if (head.size > kMaxFrameSize) return Step::kTooLarge;
    if (input_.size() >= kFrameHeadSize + head.size) {
      payload = input_.substr(kFrameHeadSize, head.size);
      input_.remove_prefix(kFrameHeadSize + head.size);
      return Step::kFrame;
    }
  }
  partial_.append(input_);
  input_ = {};
  return Step::kMore;
}

// Moves octets from the input to what is kept, until that is `until` long or there are no more.
void FrameReader::keep(size_t until) {
  const size_t count = std::min(until - std::min(until, partial_.size()), input_.size());
  partial_.append(input_.substr(0, count));
  input_.remove_prefix(count);
}

FrameReader::Step FrameReader::next_of_partial(FrameHead& head, std::string_view& payload) {
  keep(kFrameHeadSize);
  if (partial_.size() < kFrameHeadSize) return Step::kMore;
  head = FrameHead::read(partial_.data());
  if (head.size > kMaxFrameSize) return Step::kTooLarge;
  keep(kFrameHeadSize + head.size);
  if (partial_.size() < kFrameHeadSize + head.size) return Step::kMore;
  payload = partial_.view().substr(kFrameHeadSize);
  delivered_ = true;
  return Step::kFrame;
}

}  // namespace duplex::http
