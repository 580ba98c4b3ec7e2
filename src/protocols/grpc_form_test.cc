#include "protocols/grpc_form.h"

#include <gtest/gtest.h>

#include "protocols/gzip.h"

namespace duplex::grpc {
namespace {

TEST(GrpcForm, TheContentTypeTellsIt) {
  struct Case {
    const char* type;
    bool known, web, text;
  };
  const Case kCases[] = {
      {"application/grpc", true, false, false},
      {"application/grpc+proto", true, false, false},
      {"Application/gRPC; charset=utf-8", true, false, false},
      {"application/grpc+json", false, false, false},
      {"application/grpcx", false, false, false},
      {"application/grpc-web", true, true, false},
      {"application/grpc-web+proto", true, true, false},
      {"application/grpc-web-text", true, true, true},
      {"application/grpc-web-text+proto", true, true, true},
      {"application/grpc-web-text+thrift", false, false, false},
      {"application/json", false, false, false},
  };
  for (const Case& c : kCases) {
    std::optional<Form> form = form_of(c.type);
    ASSERT_EQ(form.has_value(), c.known) << c.type;
    if (!form) continue;
    EXPECT_EQ(form->web, c.web) << c.type;
    EXPECT_EQ(form->text, c.text) << c.type;
  }
}

TEST(GrpcForm, TrailersAreAFrameOfLines) {
  Metadata trailers;
  trailers.add("grpc-status", "5");
  trailers.add("grpc-message", "no such thing");
  Buffer out;
  append_trailers(out, Form{.web = true}, trailers);
  const std::string lines = "grpc-status: 5\r\ngrpc-message: no such thing\r\n";
  EXPECT_EQ(out.view(), std::string("\x80\0\0\0", 4) + static_cast<char>(lines.size()) + lines);
}

TEST(GrpcForm, TextIsPaddedBase64OfEachFrameAndComesBackInAnyPieces) {
  Buffer out;
  const Form text{.web = true, .text = true};
  append_frame(out, text, 0, "a");
  append_frame(out, text, 0, "bc");
  append_frame(out, text, 0, "");
  EXPECT_EQ(out.size() % 4, 0u);
  for (size_t step : {size_t{1}, size_t{3}, size_t{5}, out.size()}) {
    Unarmour unarmour;
    Buffer plain;
    for (size_t at = 0; at < out.size(); at += step) ASSERT_TRUE(unarmour.decode(out.view().substr(at, step), plain));
    EXPECT_TRUE(unarmour.whole());
    EXPECT_EQ(plain.view(), std::string("\0\0\0\0\1a\0\0\0\0\2bc\0\0\0\0\0", 18));
  }
  Unarmour unarmour;
  Buffer plain;
  EXPECT_FALSE(unarmour.decode("!!!!", plain));
}

TEST(GrpcForm, AListOfEncodingsIsRead) {
  EXPECT_TRUE(takes_gzip("gzip"));
  EXPECT_TRUE(takes_gzip("identity, deflate ,gzip"));
  EXPECT_FALSE(takes_gzip("identity,deflate"));
  EXPECT_FALSE(takes_gzip(""));
  EXPECT_FALSE(takes_gzip("xgzip"));
}

TEST(Gzip, WhatIsPackedComesBack) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{3'000'000}}) {
    std::string plain(size, 'x');
    for (size_t i = 0; i < size; i += 7) plain[i] = static_cast<char>(i * 31);
    Bytes packed = gzip(plain);
    Result<Bytes> back = gunzip(packed.view(), size);
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(back->view(), plain);
  }
}

TEST(Gzip, ABombStopsAtTheLimitAndWhatIsBrokenIsInternal) {
  Bytes bomb = gzip(std::string(50'000'000, '\0'));
  EXPECT_EQ(gunzip(bomb.view(), 1'000'000).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(gunzip("this is no gzip", 1000).error().code(), Code::kInternal);
  EXPECT_EQ(gunzip("", 1000).error().code(), Code::kInternal);
  EXPECT_EQ(gunzip(bomb.view().substr(0, bomb.size() - 9), 100'000'000).error().code(), Code::kInternal);
}

}  // namespace
}  // namespace duplex::grpc
