// HPACK: the examples of RFC 7541 Appendix C, what must be refused, and nghttp2 as the oracle of both directions.
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "http/hpack_decoder.h"
#include "http/hpack_encoder.h"
#include "http/hpack_huffman.h"

namespace duplex::http {
namespace {

using Indexing = HpackEncoder::Indexing;
using Step = HpackDecoder::Step;

struct Field {
  std::string name, value;
  bool never = false;
  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;

void PrintTo(const Field& f, std::ostream* to) {
  *to << '"' << f.name << ": " << f.value << (f.never ? "\", never indexed" : "\"");
}

uint8_t no_mark(std::string_view, std::string_view) { return 0; }

std::string octets(std::string_view hex) {
  std::string text;
  int high = -1;
  for (char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      text += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return text;
}

// Nothing if the block is refused.
std::optional<Fields> decode(HpackDecoder& decoder, std::string_view block) {
  const std::string copy(block);  // on the heap to its octet, for AddressSanitizer
  decoder.begin(copy);
  Fields fields;
  HpackField field;
  for (;;) switch (decoder.next(field)) {
      case Step::kField:
        fields.push_back({std::string(field.name), std::string(field.value), field.never_indexed});
        break;
      case Step::kEnd:
        return fields;
      case Step::kError:
        return std::nullopt;
    }
}

std::optional<Fields> decode(std::string_view block) {
  HpackDecoder decoder(no_mark);
  return decode(decoder, block);
}

std::string encode(HpackEncoder& encoder, const Fields& fields, Indexing indexing = Indexing::kYes) {
  Buffer out;
  encoder.begin(out);
  for (const Field& f : fields) encoder.field(out, f.name, f.value, f.never ? Indexing::kNever : indexing);
  return std::string(out.view());
}

// nghttp2's halves.
class Inflater {
 public:
  explicit Inflater(size_t max = 4096) {
    nghttp2_hd_inflate_new(&inflater_);
    if (max != 4096) nghttp2_hd_inflate_change_table_size(inflater_, max);
  }
  ~Inflater() { nghttp2_hd_inflate_del(inflater_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  void set_max(size_t max) { nghttp2_hd_inflate_change_table_size(inflater_, max); }
  std::optional<Fields> decode(std::string_view block) {
    Fields fields;
    const auto* at = reinterpret_cast<const uint8_t*>(block.data());
    const uint8_t* const end = at + block.size();
    for (;;) {
      nghttp2_nv nv;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, at, static_cast<size_t>(end - at), 1);
      if (used < 0) return std::nullopt;
      at += used;
      if (flags & NGHTTP2_HD_INFLATE_EMIT)
        fields.push_back({std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
                          std::string(reinterpret_cast<char*>(nv.value), nv.valuelen),
                          (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0});
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
      if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && at == end) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }
  size_t table_size() const { return nghttp2_hd_inflate_get_dynamic_table_size(inflater_); }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

class Deflater {
 public:
  Deflater() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  void set_max(size_t max) { nghttp2_hd_deflate_change_table_size(deflater_, max); }
  std::string encode(const Fields& fields) {
    std::vector<nghttp2_nv> nvs;
    for (const Field& f : fields)
      nvs.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(f.name.data())),
                     reinterpret_cast<uint8_t*>(const_cast<char*>(f.value.data())), f.name.size(), f.value.size(),
                     static_cast<uint8_t>(f.never ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
    std::string block(nghttp2_hd_deflate_bound(deflater_, nvs.data(), nvs.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(block.data()), block.size(),
                                               nvs.data(), nvs.size());
    block.resize(static_cast<size_t>(size));
    return block;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

// --- Appendix C ---

TEST(HpackTest, DecodesTheLiteralsOfAppendixC2) {
  EXPECT_EQ(decode(octets("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572")),
            (Fields{{"custom-key", "custom-header"}}));
  EXPECT_EQ(decode(octets("040c 2f73 616d 706c 652f 7061 7468")), (Fields{{":path", "/sample/path"}}));
  EXPECT_EQ(decode(octets("1008 7061 7373 776f 7264 0673 6563 7265 74")), (Fields{{"password", "secret", true}}));
  EXPECT_EQ(decode(octets("82")), (Fields{{":method", "GET"}}));
}

struct Example {
  std::string hex;
  Fields fields;
  size_t table_size;
};

const Fields kRequest1{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}};
const Fields kRequest2{{":method", "GET"},
                       {":scheme", "http"},
                       {":path", "/"},
                       {":authority", "www.example.com"},
                       {"cache-control", "no-cache"}};
const Fields kRequest3{{":method", "GET"},
                       {":scheme", "https"},
                       {":path", "/index.html"},
                       {":authority", "www.example.com"},
                       {"custom-key", "custom-value"}};
const Fields kResponse1{{":status", "302"},
                        {"cache-control", "private"},
                        {"date", "Mon, 21 Oct 2013 20:13:21 GMT"},
                        {"location", "https://www.example.com"}};
const Fields kResponse2{{":status", "307"},
                        {"cache-control", "private"},
                        {"date", "Mon, 21 Oct 2013 20:13:21 GMT"},
                        {"location", "https://www.example.com"}};
const Fields kResponse3{{":status", "200"},
                        {"cache-control", "private"},
                        {"date", "Mon, 21 Oct 2013 20:13:22 GMT"},
                        {"location", "https://www.example.com"},
                        {"content-encoding", "gzip"},
                        {"set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"}};

const std::vector<Example> kPlainRequests{
    {"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", kRequest1, 57},
    {"8286 84be 5808 6e6f 2d63 6163 6865", kRequest2, 110},
    {"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", kRequest3, 164}};
const std::vector<Example> kHuffmanRequests{
    {"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", kRequest1, 57},
    {"8286 84be 5886 a8eb 1064 9cbf", kRequest2, 110},
    {"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", kRequest3, 164}};
const std::vector<Example> kPlainResponses{
    {"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d "
     "546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
     kResponse1, 222},
    {"4803 3330 37c1 c0bf", kResponse2, 222},
    {"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f "
     "6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b "
     "2076 6572 7369 6f6e 3d31",
     kResponse3, 215}};
const std::vector<Example> kHuffmanResponses{
    {"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 "
     "8f0b 97c8 e9ae 82ae 43d3",
     kResponse1, 222},
    {"4883 640e ffc1 c0bf", kResponse2, 222},
    {"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 "
     "dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
     kResponse3, 215}};

void expect_decoded(const std::vector<Example>& examples, size_t max_table) {
  HpackDecoder decoder(no_mark, max_table);
  for (const Example& e : examples) {
    EXPECT_EQ(decode(decoder, octets(e.hex)), e.fields);
    EXPECT_EQ(decoder.table_size(), e.table_size);
  }
}

TEST(HpackTest, DecodesTheRequestsOfAppendixC3AndC4) {
  expect_decoded(kPlainRequests, 4096);
  expect_decoded(kHuffmanRequests, 4096);
}

TEST(HpackTest, DecodesTheResponsesOfAppendixC5AndC6WhichEvict) {
  expect_decoded(kPlainResponses, 256);
  expect_decoded(kHuffmanResponses, 256);
}

TEST(HpackTest, EncodesTheRequestsOfAppendixC4) {
  HpackEncoder encoder;
  for (const Example& e : kHuffmanRequests) EXPECT_EQ(encode(encoder, e.fields), octets(e.hex));
}

// --- what must be refused ---

TEST(HpackTest, RefusesIndexesThatNameNothing) {
  EXPECT_FALSE(decode(octets("80")));
  EXPECT_FALSE(decode(octets("be")));  // 62: the dynamic table is empty
  EXPECT_FALSE(decode(octets("7e 01 61")));
  EXPECT_FALSE(decode(octets("ff ff ff ff 07")));
}

TEST(HpackTest, RefusesNumbersOfMoreThan32Bits) {
  EXPECT_FALSE(decode(octets("ff 80 80 80 80 80 00")));
  EXPECT_FALSE(decode(octets("ff ff ff ff ff 0f")));
  EXPECT_FALSE(decode(octets("ff ff ff ff ff ff ff ff ff ff ff 01")));
  EXPECT_FALSE(decode(octets("00 7f ff ff ff ff 0f")));
  // Zeros in front are no more than that.
  EXPECT_EQ(decode(octets("0f 80 80 00 01 61")), (Fields{{"accept-charset", "a"}}));
}

TEST(HpackTest, RefusesABlockThatEndsInsideAField) {
  const std::string whole = octets("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 4003 6162 6303 7879 7a 0f80 0001 61");
  std::vector<size_t> fields_end{0, 1, 2, 3, 17, 26, whole.size()};
  for (size_t size = 0; size <= whole.size(); ++size) {
    const bool at_end = std::find(fields_end.begin(), fields_end.end(), size) != fields_end.end();
    EXPECT_EQ(decode(whole.substr(0, size)).has_value(), at_end) << size;
  }
}

TEST(HpackTest, RefusesHuffmanPaddingThatIsNotTheBeginningOfEosOrTooLong) {
  EXPECT_EQ(decode(octets("00 81 1f 00")), (Fields{{"a", ""}}));
  EXPECT_FALSE(decode(octets("00 81 1e 00")));        // zero in it
  EXPECT_FALSE(decode(octets("00 82 1fff 00")));      // eleven bits
  EXPECT_FALSE(decode(octets("00 81 ff 00")));        // eight bits
  EXPECT_FALSE(decode(octets("00 84 ffffffff 00")));  // EOS
  EXPECT_FALSE(decode(octets("00 8a ffffffff ffffffff ffff 00")));
  EXPECT_FALSE(decode(octets("00 89 1fffffff ff1f1f1f ff 00")));
  EXPECT_EQ(decode(octets("00 80 80")), (Fields{{"", ""}}));
}

TEST(HpackTest, RefusesASizeUpdateBehindAFieldOrAboveWhatWeAllow) {
  EXPECT_EQ(decode(octets("20 3f e1 1f 82")), (Fields{{":method", "GET"}}));  // 0, then 4096
  EXPECT_EQ(decode(octets("20")), Fields{});
  EXPECT_FALSE(decode(octets("82 20")));
  EXPECT_FALSE(decode(octets("3f e2 1f 82")));  // 4097
  HpackDecoder small(no_mark, 100);
  EXPECT_FALSE(decode(small, octets("3f 46")));  // 101
}

TEST(HpackTest, WhatFailedOnceFailsForEver) {
  HpackDecoder decoder(no_mark);
  EXPECT_FALSE(decode(decoder, octets("80")));
  EXPECT_FALSE(decode(decoder, octets("82")));
}

// --- the decoder's table ---

TEST(HpackTest, AnEntryThatIsLargerThanTheTableEmptiesIt) {
  HpackDecoder decoder(no_mark, 64);
  EXPECT_TRUE(decode(decoder, octets("40 01 61 01 62")));
  EXPECT_EQ(decoder.table_size(), 34u);
  // Its name is the entry that goes.
  const std::string large = octets("7e 20") + std::string(32, 'x');
  EXPECT_EQ(decode(decoder, large), (Fields{{"a", std::string(32, 'x')}}));
  EXPECT_EQ(decoder.table_size(), 0u);
}

TEST(HpackTest, AFieldMayBeNamedByTheEntryThatItEvicts) {
  HpackDecoder decoder(no_mark, 80);
  const std::string name(30, 'n');
  ASSERT_TRUE(decode(decoder, octets("40 1e") + name + octets("00")));
  for (char c = 'a'; c < 'z'; ++c)
    EXPECT_EQ(decode(decoder, octets("7e 0a") + std::string(10, c)), (Fields{{name, std::string(10, c)}}));
  EXPECT_EQ(decoder.table_size(), 72u);
}

TEST(HpackTest, AMarkIsAskedOnceAndKeptWithTheEntry) {
  static int asked;
  HpackDecoder decoder([](std::string_view name, std::string_view) {
    ++asked;
    return static_cast<uint8_t>(name.empty() ? 0 : name.back());
  });
  asked = 0;
  HpackField field;
  for (int i = 0; i < 3; ++i) {
    const std::string block = octets(i ? "be 82" : "40 01 61 01 62 82");
    decoder.begin(block);
    ASSERT_EQ(decoder.next(field), Step::kField);
    EXPECT_EQ(field.mark, 'a');
    ASSERT_EQ(decoder.next(field), Step::kField);
    EXPECT_EQ(field.mark, 'd');  // :method
    EXPECT_EQ(decoder.next(field), Step::kEnd);
  }
  EXPECT_EQ(asked, 1);
}

// --- the encoder ---

TEST(HpackTest, TellsTheSmallestTableFirstWhenItShrankAndGrewAgain) {
  HpackEncoder encoder;
  EXPECT_EQ(encode(encoder, {}), "");
  encoder.set_peer_table(65536);  // we use no more than before
  EXPECT_EQ(encode(encoder, {}), "");
  encoder.set_peer_table(0);
  encoder.set_peer_table(100);
  EXPECT_EQ(encode(encoder, {}), octets("20 3f 45"));
  EXPECT_EQ(encode(encoder, {}), "");
  encoder.set_peer_table(1000);
  EXPECT_EQ(encode(encoder, {}), octets("3f c9 07"));
}

TEST(HpackTest, WithoutATableNothingIsIndexed) {
  HpackEncoder encoder;
  encoder.set_peer_table(0);
  EXPECT_EQ(encode(encoder, {{"a", "b"}}), octets("20 00 01 61 01 62"));
  EXPECT_EQ(encode(encoder, {{"a", "b"}}), octets("00 01 61 01 62"));
}

TEST(HpackTest, ChangesStandsStillWhileFieldsAreInTheTable) {
  HpackEncoder encoder;
  const uint64_t before = encoder.changes();
  encode(encoder, {{":status", "200"}, {"content-type", "application/grpc"}});
  const uint64_t after = encoder.changes();
  EXPECT_GT(after, before);
  EXPECT_EQ(encode(encoder, {{":status", "200"}, {"content-type", "application/grpc"}}), octets("88 be"));
  encode(encoder, {{"x", "1"}}, Indexing::kNo);
  encode(encoder, {{"x", "1", true}});
  EXPECT_EQ(encoder.changes(), after);
  encoder.set_peer_table(100);
  EXPECT_GT(encoder.changes(), after);
}

TEST(HpackTest, ASecretIsNeverIndexedNotEvenByTheStaticTable) {
  HpackEncoder encoder;
  EXPECT_EQ(encode(encoder, {{":method", "GET", true}}), octets("12 03 474554"));
  EXPECT_EQ(encode(encoder, {{"authorization", "x", true}}), octets("1f 08 01 78"));
}

TEST(HpackTest, AFieldThatWouldTakeMostOfTheTableIsNotIndexed) {
  HpackEncoder encoder;
  const uint64_t before = encoder.changes();
  encode(encoder, {{"large", std::string(3000, 'x')}});
  EXPECT_EQ(encoder.changes(), before);
}

TEST(HpackTest, KnowsWhatChangesFromCallToCallAndWhatIsSecret) {
  EXPECT_EQ(hpack_indexing("traceparent", "00-..."), Indexing::kNo);
  EXPECT_EQ(hpack_indexing("grpc-timeout", "1S"), Indexing::kNo);
  EXPECT_EQ(hpack_indexing(":path", "/a?b=c"), Indexing::kNo);
  EXPECT_EQ(hpack_indexing(":path", "/package.Service/Method"), Indexing::kYes);
  EXPECT_EQ(hpack_indexing("content-type", "application/grpc"), Indexing::kYes);
  EXPECT_EQ(hpack_indexing("authorization", "Bearer x"), Indexing::kNever);
  EXPECT_EQ(hpack_indexing("cookie", "short"), Indexing::kNever);
  EXPECT_EQ(hpack_indexing("cookie", std::string(20, 'c')), Indexing::kYes);
  EXPECT_EQ(hpack_indexing("set-cookie", std::string(20, 'c')), Indexing::kNever);
}

TEST(HpackTest, TheNamesOfTheStaticTableAreFound) {
  for (uint32_t i = 1; i <= kHpackStaticCount; ++i) {
    const std::string_view name = kHpackStatic[i].name;
    const uint32_t found = hpack_static_name(name);
    EXPECT_EQ(kHpackStatic[found].name, name);
    EXPECT_NE(kHpackStatic[found - 1].name, name) << "the first that has it";
    std::string other(name);
    other[other.size() / 2] ^= 1;
    EXPECT_EQ(hpack_static_name(other), 0u) << other;
  }
  EXPECT_EQ(hpack_static_name(""), 0u);
  EXPECT_EQ(hpack_static_name(std::string(100, 'x')), 0u);
}

TEST(HpackTest, TheStaticTableIsNghttp2s) {
  nghttp2_hd_inflater* inflater;
  nghttp2_hd_inflate_new(&inflater);
  for (uint32_t i = 1; i <= kHpackStaticCount; ++i) {
    const nghttp2_nv* nv = nghttp2_hd_inflate_get_table_entry(inflater, i);
    EXPECT_EQ(kHpackStatic[i].name, std::string(reinterpret_cast<char*>(nv->name), nv->namelen));
    EXPECT_EQ(kHpackStatic[i].value, std::string(reinterpret_cast<char*>(nv->value), nv->valuelen));
  }
  nghttp2_hd_inflate_del(inflater);
}

// --- Huffman ---

TEST(HpackTest, EachPairOfOctetsIsTheSameAfterHuffmanAndBack) {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      std::string encoded(huffman_length(text), '\0');
      huffman_encode(text, encoded.data());
      std::string room(huffman_room(encoded.size()), '\0');
      const char* end = huffman_decode(encoded, room.data());
      ASSERT_TRUE(end);
      ASSERT_EQ(room.substr(0, static_cast<size_t>(end - room.data())), text);
    }
}

// --- against nghttp2 ---

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {
    static constexpr std::string_view kUsual = "abcdefghijklmnopqrstuvwxyz0123456789-/.";
    for (char& c : usual_) c = kUsual[below(kUsual.size())];
    for (char& c : any_) c = static_cast<char>(below(256));
  }
  uint32_t below(size_t n) { return static_cast<uint32_t>(engine_() % n); }
  bool one_in(size_t n) { return below(n) == 0; }
  std::string text(size_t longest) {
    const std::string& from = one_in(6) ? any_ : usual_;
    const size_t size = below(longest + 1);
    return from.substr(below(from.size() - size), size);
  }
  Fields fields() {
    Fields fields(below(12));
    for (Field& f : fields) {
      switch (below(4)) {
        case 0: {
          const HpackStaticField& s = kHpackStatic[1 + below(kHpackStaticCount)];
          f = {std::string(s.name), one_in(2) ? std::string(s.value) : text(20)};
          break;
        }
        case 1:
          f = {"x-" + std::to_string(below(8)), std::to_string(below(40))};
          break;
        case 2:
          f = {text(14), text(one_in(20) ? 1500 : 40)};
          break;
        default:
          f = {"traceparent", text(55)};
      }
      f.never = one_in(10);
    }
    return fields;
  }

 private:
  std::minstd_rand engine_;
  std::string usual_ = std::string(2000, ' '), any_ = std::string(2000, ' ');  // texts are parts of these
};

constexpr int kConnections = 1000, kBlocks = 100;

TEST(HpackTest, WhatWeEncodeIsWhatNghttp2Decodes) {
  for (int c = 0; c < kConnections; ++c) {
    Random random(static_cast<uint32_t>(c) + 1);
    HpackEncoder encoder;
    Inflater inflater;
    for (int b = 0; b < kBlocks; ++b) {
      for (int n = random.one_in(10) ? 2 : 0; n; --n) {
        const size_t max = random.below(6000);
        encoder.set_peer_table(max);
        inflater.set_max(max);
      }
      const Fields fields = random.fields();
      const std::string block = encode(encoder, fields, random.one_in(4) ? Indexing::kNo : Indexing::kYes);
      ASSERT_EQ(inflater.decode(block), fields) << "connection " << c << ", block " << b;
    }
  }
}

TEST(HpackTest, WhatNghttp2EncodesIsWhatWeDecode) {
  for (int c = 0; c < kConnections; ++c) {
    Random random(static_cast<uint32_t>(c) + 1);
    Deflater deflater;
    HpackDecoder decoder(no_mark);
    for (int b = 0; b < kBlocks; ++b) {
      for (int n = random.one_in(10) ? 2 : 0; n; --n) deflater.set_max(random.below(5000));
      Fields fields = random.fields();
      const std::string block = deflater.encode(fields);
      std::optional<Fields> decoded = decode(decoder, block);
      ASSERT_TRUE(decoded);
      // It makes some fields never indexed by itself.
      ASSERT_EQ(decoded->size(), fields.size());
      for (size_t i = 0; i < fields.size(); ++i) fields[i].never |= (*decoded)[i].never;
      ASSERT_EQ(*decoded, fields) << "connection " << c << ", block " << b;
    }
  }
}

TEST(HpackTest, DamagedBlocksAreRefusedByBothOrMeanTheSameToBoth) {
  int refused = 0, taken = 0;
  for (int c = 0; c < kConnections; ++c) {
    Random random(static_cast<uint32_t>(c) + 1);
    Deflater deflater;
    HpackEncoder encoder;
    HpackDecoder decoder(no_mark);
    Inflater inflater;
    for (int b = 0; b < kBlocks; ++b) {
      const Fields fields = random.fields();
      std::string block = random.one_in(2) ? deflater.encode(fields) : encode(encoder, fields);
      for (size_t n = random.below(3); n && !block.empty(); --n) {
        char& octet = block[random.below(block.size())];
        if (random.one_in(3))
          octet = static_cast<char>(random.below(256));
        else
          octet ^= static_cast<char>(1 << random.below(8));
        if (random.one_in(8)) block.resize(random.below(block.size()));
      }
      const std::optional<Fields> theirs = inflater.decode(block);
      ASSERT_EQ(decode(decoder, block), theirs) << "connection " << c << ", block " << b;
      if (!theirs) {
        ++refused;
        break;
      }
      ++taken;
      ASSERT_EQ(decoder.table_size(), inflater.table_size());
    }
  }
  EXPECT_GT(refused, kConnections / 2);
  EXPECT_GT(taken, kConnections);
}

}  // namespace
}  // namespace duplex::http
