// What the tests of HTTP/2 share: frames as octets, and a peer that sends whatever it is told to, right or wrong.
// Header blocks are written by hand and read by nghttp2, so that our HPACK is not its own judge.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duplex/base/bytes.h"
#include "http/http2_frames.h"

namespace duplex::http {

using Fields2 = std::vector<std::pair<std::string, std::string>>;

struct Frame2 {
  FrameType type{};
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;

  bool is(FrameType t) const { return type == t; }
  bool end_stream() const { return flags & kFlagEndStream; }
  uint32_t number(size_t at = 0) const { return payload.size() >= at + 4 ? read_u32(payload.data() + at) : 0; }
};

// ---- frames as octets ----

inline std::string frame2(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string octets(kFrameHeadSize, '\0');
  FrameHead{static_cast<uint32_t>(payload.size()), type, flags, stream}.write(octets.data());
  return octets.append(payload);
}
inline std::string u32(uint32_t n) {
  std::string octets(4, '\0');
  write_u32(octets.data(), n);
  return octets;
}
inline std::string setting2(Setting id, uint32_t value) {
  return std::string{static_cast<char>(static_cast<uint16_t>(id) >> 8), static_cast<char>(static_cast<uint16_t>(id))} +
         u32(value);
}
inline std::string settings2(std::initializer_list<SettingValue> settings = {}) {
  std::string payload;
  for (SettingValue s : settings) payload += setting2(s.id, s.value);
  return frame2(FrameType::kSettings, 0, 0, payload);
}
inline std::string data2(uint32_t stream, std::string_view octets, uint8_t flags = 0) {
  return frame2(FrameType::kData, flags, stream, octets);
}
inline std::string rst2(uint32_t stream, Http2Error code) {
  return frame2(FrameType::kRstStream, 0, stream, u32(static_cast<uint32_t>(code)));
}
inline std::string window2(uint32_t stream, uint32_t increment) {
  return frame2(FrameType::kWindowUpdate, 0, stream, u32(increment));
}
inline std::string ping2(std::string_view opaque, uint8_t flags = 0) {
  return frame2(FrameType::kPing, flags, 0, opaque);
}
inline std::string goaway2(uint32_t last, Http2Error code) {
  return frame2(FrameType::kGoaway, 0, 0, u32(last) + u32(static_cast<uint32_t>(code)));
}

// A string of HPACK, not compressed (RFC 7541 section 5).
inline std::string hpack_text(std::string_view text) {
  std::string octets;
  if (text.size() < 127) {
    octets.push_back(static_cast<char>(text.size()));
  } else {
    octets.push_back(127);
    size_t left = text.size() - 127;
    for (; left >= 128; left >>= 7) octets.push_back(static_cast<char>(128 | (left & 127)));
    octets.push_back(static_cast<char>(left));
  }
  return octets.append(text);
}
// Literals that enter no table: a block that means the same on every connection.
inline std::string block2(const Fields2& fields) {
  std::string octets;
  for (auto& [name, value] : fields) octets.append(1, '\0').append(hpack_text(name)).append(hpack_text(value));
  return octets;
}
inline std::string headers2(uint32_t stream, const Fields2& fields, uint8_t flags) {
  return frame2(FrameType::kHeaders, flags, stream, block2(fields));
}
inline Fields2 request2(std::string method, std::string path) {
  return {{":method", std::move(method)}, {":scheme", "http"}, {":path", std::move(path)}, {":authority", "x"}};
}
inline constexpr uint8_t kWhole = kFlagEndHeaders | kFlagEndStream;

// ---- the peer ----

// Blocking, on the test's own thread; owns its end of the socket.
class Peer2Frames {
 public:
  explicit Peer2Frames(int fd) : fd_(fd) {
    timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    nghttp2_hd_inflate_new(&inflater_);
  }
  ~Peer2Frames() {
    close();
    nghttp2_hd_inflate_del(inflater_);
  }
  Peer2Frames(const Peer2Frames&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // False: the other side has closed.
  bool send(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t n = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      octets.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // How much of it the other side takes while no frame is read.
  size_t send_while_taken(std::string_view octets) {
    size_t sent = 0;
    while (sent < octets.size()) {
      pollfd writable{fd_, POLLOUT, 0};
      if (::poll(&writable, 1, 1000) <= 0) break;
      const ssize_t n = ::send(fd_, octets.data() + sent, octets.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0 && errno != EAGAIN) break;
      if (n > 0) sent += static_cast<size_t>(n);
    }
    return sent;
  }
  // Octets that are no frame.
  void skip(size_t count) {
    if (fill(count)) got_.erase(0, count);
  }
  // The next frame; nothing: the connection has ended, or nothing came for 20 s (a failure).
  std::optional<Frame2> next() {
    const size_t size = kFrameHeadSize;
    if (!fill(size)) return std::nullopt;
    const FrameHead head = FrameHead::read(got_.data());
    if (!fill(size + head.size)) return std::nullopt;
    Frame2 frame{head.type, head.flags, head.stream, got_.substr(size, head.size)};
    got_.erase(0, size + head.size);
    return frame;
  }
  // The next of that type; those before it are lost.
  std::optional<Frame2> next(FrameType type) {
    for (;;) {
      std::optional<Frame2> frame = next();
      if (!frame || frame->is(type)) return frame;
    }
  }
  // What a header block says. Each must be given, in order.
  Fields2 fields(std::string_view block) {
    Fields2 all;
    auto* at = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv nv;
      int flags = 0;
      const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, at, left, 1);
      if (n < 0) {
        ADD_FAILURE() << "nghttp2 cannot read the block: " << nghttp2_strerror(static_cast<int>(n));
        return all;
      }
      at += n;
      left -= static_cast<size_t>(n);
      if (flags & NGHTTP2_HD_INFLATE_EMIT)
        all.emplace_back(std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
                         std::string(reinterpret_cast<char*>(nv.value), nv.valuelen));
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return all;
  }
  // Our SETTINGS_HEADER_TABLE_SIZE, as the other side was told.
  void table(size_t size) { nghttp2_hd_inflate_change_table_size(inflater_, size); }
  // A stream's part of what comes, until it has ended or was reset: "200 body", "200 body trailer grpc-status=0",
  // "reset CANCEL". Blocks of other streams are read for the table's sake.
  std::string answer(uint32_t id) {
    std::string told, body;
    bool had_head = false;
    for (;;) {
      std::optional<Frame2> frame = next();
      if (!frame) return told + body + " (the connection ended)";
      if (frame->is(FrameType::kHeaders)) {
        while (!(frame->flags & kFlagEndHeaders)) {
          std::optional<Frame2> more = next();
          if (!more || !more->is(FrameType::kContinuation)) return "a header block without its end";
          frame->payload += more->payload;
          frame->flags |= more->flags;
        }
        const Fields2 all = fields(frame->payload);
        if (frame->stream != id) continue;
        for (auto& [name, value] : all)
          if (name == ":status") {
            told += value + " ";
            had_head = value[0] != '1';
          } else if (!body.empty() || had_head) {
            if (frame->end_stream() && all.front().first != ":status") body += " trailer " + name + "=" + value;
          }
      } else if (frame->stream != id) {
        if (frame->is(FrameType::kGoaway)) goaways.push_back(*frame);
        continue;
      } else if (frame->is(FrameType::kData)) {
        body += frame->payload;
      } else if (frame->is(FrameType::kRstStream)) {
        return told + body + "reset " + error_name(frame->number());
      } else {
        continue;
      }
      if (frame->end_stream()) return told + body;
    }
  }
  // Sends a PING and reads up to its answer: by then the other side has done all that what came before asks for at
  // once. What broke on the way: "connection PROTOCOL_ERROR", "stream 1 CANCEL", or "fine".
  std::string verdict() {
    send(ping2("verdict!"));
    std::string told;
    for (;;) {
      std::optional<Frame2> frame = next();
      if (!frame) return told.empty() ? "ended without a word" : told;
      seen.push_back(*frame);
      if (frame->is(FrameType::kGoaway)) {
        goaways.push_back(*frame);
        told = "connection " + error_name(frame->number(4));
        if (frame->number(4) == 0) return told;
        EXPECT_FALSE(next()) << "something after GOAWAY";
        return told;
      }
      if (frame->is(FrameType::kRstStream)) {
        if (!told.empty()) told += ", ";
        told += "stream " + std::to_string(frame->stream) + " " + error_name(frame->number());
      }
      if (frame->is(FrameType::kPing) && (frame->flags & kFlagAck) && frame->payload == "verdict!")
        return told.empty() ? "fine" : told;
    }
  }
  // The same, and what it lets be sent has come, too: DATA is put into frames at the end of a turn.
  std::string settled() {
    const std::string first = verdict();
    return first == "fine" ? verdict() : first;
  }

  std::vector<Frame2> goaways;
  std::vector<Frame2> seen;  // by verdict()

 private:
  bool fill(size_t size) {
    while (got_.size() < size) {
      char room[65536];
      const ssize_t n = ::recv(fd_, room, sizeof room, 0);
      if (n < 0 && errno == EAGAIN) ADD_FAILURE() << "nothing came for 20 s";
      if (n <= 0) return false;
      got_.append(room, static_cast<size_t>(n));
    }
    return true;
  }
  int fd_;
  std::string got_;
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace duplex::http
