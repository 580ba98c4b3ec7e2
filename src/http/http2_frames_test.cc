#include "http/http2_frames.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace duplex::http {
namespace {

struct Frame {
  FrameHead head;
  std::string payload;
};

std::string made(uint32_t size, FrameType type, uint8_t flags, uint32_t stream) {
  std::string octets(kFrameHeadSize + size, '\0');
  FrameHead{size, type, flags, stream}.write(octets.data());
  for (uint32_t i = 0; i < size; ++i) octets[kFrameHeadSize + i] = static_cast<char>(i * 7 + stream);
  return octets;
}

// The frames that a reader cuts out of `octets`, fed `step` at a time.
std::vector<Frame> cut(std::string_view octets, size_t step, FrameReader::Step* last = nullptr) {
  FrameReader reader;
  std::vector<Frame> frames;
  for (size_t at = 0; at < octets.size(); at += step) {
    const std::string piece(octets.substr(at, step));  // apart, so that a sanitizer sees a view that outlives it
    reader.feed(piece);
    for (;;) {
      Frame frame;
      std::string_view payload;
      const FrameReader::Step s = reader.next(frame.head, payload);
      if (last) *last = s;
      if (s == FrameReader::Step::kTooLarge) return frames;
      if (s == FrameReader::Step::kMore) break;
      frame.payload = payload;
      frames.push_back(std::move(frame));
    }
    EXPECT_LE(reader.kept(), kFrameHeadSize + kMaxFrameSize);
  }
  return frames;
}

TEST(Http2Frames, AHeadIsWrittenAndReadBack) {
  for (uint32_t size : {0u, 1u, 16'384u, 0xff'ffffu})
    for (uint32_t stream : {0u, 1u, kLargestId})
      for (int type = 0; type <= 255; type += 51) {
        char octets[kFrameHeadSize];
        FrameHead{size, static_cast<FrameType>(type), 0x5a, stream}.write(octets);
        const FrameHead head = FrameHead::read(octets);
        EXPECT_EQ(head.size, size);
        EXPECT_EQ(static_cast<int>(head.type), type);
        EXPECT_EQ(head.flags, 0x5a);
        EXPECT_EQ(head.stream, stream);
      }
}

TEST(Http2Frames, TheReservedBitOfAStreamIdIsPassedOver) {
  char octets[kFrameHeadSize];
  FrameHead{0, FrameType::kData, 0, 5}.write(octets);
  octets[5] = static_cast<char>(0x80);
  EXPECT_EQ(FrameHead::read(octets).stream, 5u);
}

TEST(Http2Frames, InPiecesOfAnySizeTheFramesAreTheSame) {
  std::string octets;
  std::vector<uint32_t> sizes = {0, 1, 8, 9, 10, 255, 0, 0, 4000, 16'384, 3};
  for (size_t i = 0; i < sizes.size(); ++i)
    octets += made(sizes[i], static_cast<FrameType>(i % 11), static_cast<uint8_t>(i), static_cast<uint32_t>(2 * i + 1));
  for (size_t step :
       {octets.size(), size_t{1}, size_t{2}, size_t{8}, size_t{9}, size_t{10}, size_t{17}, size_t{4096}}) {
    SCOPED_TRACE(step);
    const std::vector<Frame> frames = cut(octets, step);
    ASSERT_EQ(frames.size(), sizes.size());
    std::string again;
    for (const Frame& f : frames) {
      char head[kFrameHeadSize];
      f.head.write(head);
      again.append(head, sizeof head).append(f.payload);
    }
    EXPECT_EQ(again, octets);
  }
}

TEST(Http2Frames, AFrameIsTooLargeFromItsHeadOn) {
  const std::string first = made(4, FrameType::kPing, 0, 0);
  const std::string octets = first + made(kMaxFrameSize + 1, FrameType::kData, 0, 1).substr(0, kFrameHeadSize);
  for (size_t step : {octets.size(), size_t{1}, size_t{7}}) {
    FrameReader::Step last{};
    EXPECT_EQ(cut(octets, step, &last).size(), 1u);
    EXPECT_EQ(last, FrameReader::Step::kTooLarge);
  }
}

TEST(Http2Frames, WhatIsKeptOfAFrameIsLetGoAfterIt) {
  FrameReader reader;
  const std::string octets = made(1000, FrameType::kData, 0, 1);
  FrameHead head;
  std::string_view payload;
  reader.feed(std::string_view(octets).substr(0, 500));
  EXPECT_EQ(reader.next(head, payload), FrameReader::Step::kMore);
  EXPECT_EQ(reader.kept(), 500u);
  reader.feed(std::string_view(octets).substr(500));
  EXPECT_EQ(reader.next(head, payload), FrameReader::Step::kFrame);
  EXPECT_EQ(payload, std::string_view(octets).substr(kFrameHeadSize));
  EXPECT_EQ(reader.kept(), 0u);
  EXPECT_EQ(reader.next(head, payload), FrameReader::Step::kMore);
}

TEST(Http2Frames, EachFixedFrameHasItsOctets) {
  Buffer out;
  auto is = [&](std::string_view expected) {
    EXPECT_EQ(std::string(out.view()), std::string(expected));
    out.clear();
  };
  using namespace std::string_view_literals;
  append_settings(out, {{Setting::kMaxConcurrentStreams, 100}, {Setting::kInitialWindowSize, 0x01020304}});
  is("\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\x01\x02\x03\x04"sv);
  append_settings_ack(out);
  is("\0\0\0\x04\x01\0\0\0\0"sv);
  append_rst_stream(out, 5, 8);
  is("\0\0\x04\x03\0\0\0\0\x05\0\0\0\x08"sv);
  append_window_update(out, 0, 0x7fffffff);
  is("\0\0\x04\x08\0\0\0\0\0\x7f\xff\xff\xff"sv);
  append_ping(out, true, "abcdefgh");
  is("\0\0\x08\x06\x01\0\0\0\0abcdefgh"sv);
  append_ping(out, false, "abcdefgh");
  is("\0\0\x08\x06\0\0\0\0\0abcdefgh"sv);
  append_goaway(out, 7, 11, "why");
  is("\0\0\x0b\x07\0\0\0\0\0\0\0\0\x07\0\0\0\x0bwhy"sv);
}

TEST(Http2Frames, AnErrorHasItsNameOrItsNumber) {
  EXPECT_EQ(error_name(0), "NO_ERROR");
  EXPECT_EQ(error_name(11), "ENHANCE_YOUR_CALM");
  EXPECT_EQ(error_name(13), "HTTP_1_1_REQUIRED");
  EXPECT_EQ(error_name(14), "error 14");
}

}  // namespace
}  // namespace duplex::http
