// gRPC's forms on the wire: timeouts, status text, binary metadata, message frames over any cut of the octets.
#include "protocols/grpc_wire.h"

#include <gtest/gtest.h>

#include <random>

namespace duplex::grpc {
namespace {

using namespace std::chrono_literals;

TEST(Timeout, EachUnitIsRead) {
  EXPECT_EQ(parse_timeout("1H"), Duration(1h));
  EXPECT_EQ(parse_timeout("2M"), Duration(2min));
  EXPECT_EQ(parse_timeout("3S"), Duration(3s));
  EXPECT_EQ(parse_timeout("4m"), Duration(4ms));
  EXPECT_EQ(parse_timeout("5u"), Duration(5us));
  EXPECT_EQ(parse_timeout("6n"), Duration(6ns));
  EXPECT_EQ(parse_timeout("0n"), Duration(0));
  EXPECT_EQ(parse_timeout("00000001S"), Duration(1s));
}

TEST(Timeout, EightDigitsOfEachUnitStayInTheClock) {
  EXPECT_EQ(parse_timeout("99999999S"), Duration(99'999'999s));
  EXPECT_EQ(parse_timeout("99999999M"), Duration(std::chrono::minutes(99'999'999)));
  EXPECT_EQ(parse_timeout("99999999H"), Duration::max());
  EXPECT_EQ(parse_timeout("2000000H"), Duration(std::chrono::hours(2'000'000)));
  Time now = Clock::now();
  EXPECT_EQ(after(now, *parse_timeout("99999999H")), kNever);
}

TEST(Timeout, WhatIsMalformedIsRefused) {
  for (std::string_view text : {"", "S", "1", "10", "123456789S", "1s", "1h", "1 S", " 1S", "1S ", "-1S", "+1S", "1.5S",
                                "0x1S", "1SS", "\xd9\xa1S"})
    EXPECT_EQ(parse_timeout(text), std::nullopt) << text;
  EXPECT_EQ(parse_timeout(std::string_view("1\0S", 3)), std::nullopt);
}

TEST(Timeout, IsWrittenWithAtMostEightDigitsAndNeverExceedsWhatIsLeft) {
  EXPECT_EQ(format_timeout(Duration(0)), "0n");
  EXPECT_EQ(format_timeout(-5s), "0n");
  EXPECT_EQ(format_timeout(99'999'999ns), "99999999n");
  EXPECT_EQ(format_timeout(100'000'000ns), "100000u");
  EXPECT_EQ(format_timeout(15s), "15000000u");
  EXPECT_EQ(format_timeout(100s - 1ns), "99999999u");
  EXPECT_EQ(format_timeout(100s), "100000m");
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    Duration left(static_cast<int64_t>(random() >> 1 >> random() % 63));
    std::string text = format_timeout(left);
    ASSERT_LE(text.size(), 9u) << text;
    auto back = parse_timeout(text);
    ASSERT_TRUE(back.has_value()) << text;
    if (*back == Duration::max()) continue;
    ASSERT_LE(*back, left) << text;
    ASSERT_LE((left - *back).count(), left.count() / 100'000 + 0) << text;
  }
}

TEST(MessageText, IsPercentEncoded) {
  EXPECT_EQ(encode_message("plain text, ~!"), "plain text, ~!");
  EXPECT_EQ(encode_message("100%"), "100%25");
  EXPECT_EQ(encode_message("a\tb\r\nc"), "a%09b%0D%0Ac");
  EXPECT_EQ(encode_message("gr\xc3\xbc\xc3\x9f"), "gr%C3%BC%C3%9F");
  EXPECT_EQ(encode_message(std::string_view("\0\x7f", 2)), "%00%7F");
  EXPECT_EQ(encode_message(" no order "), "%20no order%20");  // HTTP/2 forbids a space at either end
  EXPECT_EQ(encode_message(" "), "%20");
}

TEST(MessageText, WhatIsNoEscapeIsTakenAsItIs) {
  EXPECT_EQ(decode_message("%41%6a%6A"), "Ajj");
  EXPECT_EQ(decode_message("%"), "%");
  EXPECT_EQ(decode_message("%4"), "%4");
  EXPECT_EQ(decode_message("%zz%4g% 1%-1%+1"), "%zz%4g% 1%-1%+1");
  EXPECT_EQ(decode_message("%%41"), "%A");
  EXPECT_EQ(decode_message("x%25"), "x%");
}

TEST(MessageText, AllOctetsReturn) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = static_cast<char>(random());
    std::string encoded = encode_message(text);
    for (char c : encoded) ASSERT_TRUE(c >= 0x20 && c <= 0x7e);
    ASSERT_EQ(decode_message(encoded), text);
  }
}

TEST(Binary, IsBase64WithOrWithoutPadding) {
  EXPECT_EQ(encode_binary(""), "");
  EXPECT_EQ(encode_binary("f"), "Zg");
  EXPECT_EQ(encode_binary("fo"), "Zm8");
  EXPECT_EQ(encode_binary("foo"), "Zm9v");
  EXPECT_EQ(decode_binary("Zg"), "f");
  EXPECT_EQ(decode_binary("Zg=="), "f");
  EXPECT_EQ(decode_binary("Zm8="), "fo");
  EXPECT_EQ(decode_binary(""), "");
  EXPECT_EQ(decode_binary("+/+/"), "\xfb\xff\xbf");
  for (std::string_view text : {"Z", "Zm9vZ", "Zm 8", "Zm8\n", "Z=g", "Zm9v*"})
    EXPECT_EQ(decode_binary(text), std::nullopt) << text;
}

TEST(Binary, AllOctetsReturn) {
  std::mt19937 random(5);
  for (size_t size = 0; size < 300; ++size) {
    std::string bytes(size, ' ');
    for (char& c : bytes) c = static_cast<char>(random());
    std::string encoded = encode_binary(bytes);
    ASSERT_EQ(decode_binary(encoded), bytes);
    while (encoded.size() % 4) encoded += '=';
    ASSERT_EQ(decode_binary(encoded), bytes);
  }
}

TEST(MetadataFields, BinaryListsAreSplitAndOrderIsKept) {
  Metadata fields;
  fields.add("a-bin", "Zg==, Zm8,Zm9v");
  fields.add("b", "x, y");
  fields.add("a-bin", "YmFy");
  Result<Metadata> user = metadata_of(fields);
  ASSERT_TRUE(user.has_value());
  std::string all;
  for (Metadata::Entry e : *user) all += std::string(e.name) + "=" + std::string(e.value) + ";";
  EXPECT_EQ(all, "a-bin=f;a-bin=fo;a-bin=foo;b=x, y;a-bin=bar;");
  Metadata broken;
  broken.add("a-bin", "???");
  EXPECT_EQ(metadata_of(broken).error().code(), Code::kInternal);
}

TEST(MetadataFields, TheProtocolsOwnNamesDoNotLeave) {
  Metadata user, fields;
  for (std::string_view name : {":path", "te", "host", "connection", "keep-alive", "upgrade", "content-type",
                                "grpc-timeout", "grpc-status", "grpc-anything", "transfer-encoding", "content-length"})
    user.add(name, "x");
  user.add("mine", "1");
  user.add("mine-bin", "f");
  add_user_fields(fields, user);
  EXPECT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields.find("mine-bin"), "Zg");
}

TEST(StatusFields, TravelWithTextAndDetails) {
  Status status =
      Status::not_found("no such \xe2\x82\xac").with_detail("type.googleapis.com/x.Y", std::string("\0\1", 2));
  auto back = status_of(status_fields(status, Metadata()));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->code(), Code::kNotFound);
  EXPECT_EQ(back->message(), status.message());
  ASSERT_EQ(back->details().size(), 1u);
  EXPECT_EQ(back->details()[0].value, std::string("\0\1", 2));
  EXPECT_TRUE(status_of(status_fields(Status(), Metadata()))->is_ok());
}

TEST(StatusFields, AnUnknownNumberIsUnknownAndNoneIsNone) {
  EXPECT_EQ(status_of(Metadata()), std::nullopt);
  for (std::string_view text : {"17", "99999999999999999999", "", "x", "5x", "-1", " 5"}) {
    Metadata fields;
    fields.add("grpc-status", text);
    ASSERT_TRUE(status_of(fields).has_value());
    EXPECT_EQ(status_of(fields)->code(), Code::kUnknown) << text;
  }
}

// An exchange whose body a test fills.
class FakeExchange final : public http::Exchange {
 public:
  FakeExchange() : Exchange(http::Version::kHttp2) {}
  ~FakeExchange() override = default;
  const std::string& peer() const override { return peer_; }
  void consumed(size_t count) override { credit += count; }
  void send_head(int, const Metadata&, bool) override {}
  void send(std::string_view) override {}
  void send_end(const Metadata&) override {}
  void reset(http::Reset) override {}
  void send_interim(int, const Metadata&) override {}
  void arrive(std::string_view octets) { in_body_.append(octets); }
  void end() { in_ended_ = true; }
  size_t credit = 0;

 private:
  std::string peer_ = "fake";
};

std::string framed(std::string_view text) {
  char prefix[5];
  frame_prefix(prefix, text.size());
  return std::string(prefix, sizeof prefix) + std::string(text);
}

TEST(Deframer, AnyCutOfTheOctetsGivesTheSameMessages) {
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> messages(random() % 8);
    std::string octets;
    for (std::string& m : messages) {
      const size_t sizes[] = {0, 1, 4, 5, 6, random() % 40, random() % 5000};
      m.assign(sizes[random() % 7], ' ');
      for (char& c : m) c = static_cast<char>(random());
      octets += framed(m);
    }
    FakeExchange x;
    Deframer frames(x, 10'000, "request");
    std::vector<std::string> got;
    const size_t most = 1 + random() % (round % 2 ? 9 : 3000);
    for (size_t at = 0; at < octets.size();) {
      size_t n = std::min(octets.size() - at, 1 + random() % most);
      x.arrive(std::string_view(octets).substr(at, n));
      at += n;
      if (random() % 3 == 0) continue;  // several arrivals before a look
      for (;;) {
        auto m = frames.poll();
        ASSERT_TRUE(m.has_value()) << m.error().to_string();
        if (!*m) break;
        got.push_back((*m)->bytes.to_string());
      }
    }
    x.end();
    for (;;) {
      auto m = frames.poll();
      ASSERT_TRUE(m.has_value());
      if (!*m) break;
      ASSERT_FALSE(frames.at_end() && got.size() + 1 < messages.size());
      got.push_back((*m)->bytes.to_string());
    }
    ASSERT_EQ(got, messages) << "round " << round;
    ASSERT_TRUE(frames.at_end());
    ASSERT_EQ(x.credit, octets.size());  // every octet's credit returned, once
  }
}

TEST(Deframer, AnEndWithinAMessageIsNoEnd) {
  std::string octets = framed("hello");
  for (size_t cut = 1; cut < octets.size(); ++cut) {
    FakeExchange x;
    Deframer frames(x, 100, "request");
    x.arrive(std::string_view(octets).substr(0, cut));
    x.end();
    auto m = frames.poll();
    ASSERT_TRUE(m.has_value());
    EXPECT_FALSE(m->has_value());
    EXPECT_FALSE(frames.at_end()) << cut;
  }
}

TEST(Deframer, ALengthPastTheLimitIsRefusedFromItsPrefixAlone) {
  for (size_t cut = 1; cut <= 5; ++cut) {
    FakeExchange x;
    Deframer frames(x, 10, "request");
    std::string prefix = framed(std::string(11, 'x')).substr(0, 5);
    x.arrive(std::string_view(prefix).substr(0, cut));
    auto m = frames.poll();
    if (cut < 5) {
      ASSERT_TRUE(m.has_value());
      x.arrive(std::string_view(prefix).substr(cut));
      m = frames.poll();
    }
    ASSERT_FALSE(m.has_value());
    EXPECT_EQ(m.error().code(), Code::kResourceExhausted);
    EXPECT_NE(m.error().message().find("11"), std::string::npos);
    EXPECT_NE(m.error().message().find("10"), std::string::npos);
  }
  FakeExchange x;
  Deframer frames(x, 10, "request");
  x.arrive(framed("0123456789"));
  auto m = frames.poll();
  ASSERT_TRUE(m.has_value() && *m);
  EXPECT_EQ((*m)->bytes.view(), "0123456789");
}

TEST(Deframer, FlagsOtherThanIdentityAreRefused) {
  for (int flag = 1; flag < 256; ++flag) {
    FakeExchange x;
    Deframer frames(x, 10, "reply");
    std::string octets = framed("a");
    octets[0] = static_cast<char>(flag);
    x.arrive(octets);
    auto m = frames.poll();
    ASSERT_FALSE(m.has_value());
    EXPECT_EQ(m.error().code(), Code::kInternal);
  }
}

}  // namespace
}  // namespace duplex::grpc
