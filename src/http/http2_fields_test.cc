// Each rule of RFC 9113 sections 8.2 and 8.3, and what just keeps to it.
#include "http/http2_fields.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace duplex::http {
namespace {

using Part = FieldRules::Part;
using Fields = std::vector<std::pair<std::string, std::string>>;

bool right(Part part, const Fields& fields) {
  FieldRules rules(part);
  for (auto& [name, value] : fields)
    if (!rules.add(static_cast<FieldKind>(field_kind(name, value)), value)) return false;
  return rules.complete();
}

const Fields kGet = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "x"}};

Fields with(Fields fields, std::initializer_list<std::pair<std::string, std::string>> more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
Fields without(Fields fields, std::string_view name) {
  std::erase_if(fields, [&](auto& f) { return f.first == name; });
  return fields;
}
Fields where(Fields fields, std::string_view name, std::string value) {
  for (auto& f : fields)
    if (f.first == name) f.second = value;
  return fields;
}
bool request(const Fields& fields) { return right(Part::kRequest, fields); }
bool with_field(std::string name, std::string value) {
  const bool it = request(with(kGet, {{name, value}}));
  // It is no other in a response or in trailers.
  EXPECT_EQ(right(Part::kResponse, {{":status", "200"}, {name, value}}), it) << name << ": " << value;
  EXPECT_EQ(right(Part::kTrailers, {{name, value}}), it) << name << ": " << value;
  return it;
}

TEST(Http2Fields, ANameIsATokenInLowerCase) {
  EXPECT_TRUE(with_field("x-a", "1"));
  EXPECT_TRUE(with_field("!#$%&'*+-.^_`|~09az", "1"));
  EXPECT_FALSE(with_field("X-a", "1"));
  EXPECT_FALSE(with_field("x-A", "1"));
  EXPECT_FALSE(with_field("", "1"));
  for (char c : std::string("\0\x01\x1f \x7f\x80\xff\"(),/:;<=>?@[\\]{}", 22))
    EXPECT_FALSE(with_field(std::string("a") + c + "b", "1")) << static_cast<int>(c);
}

TEST(Http2Fields, AValueHasNoControlOctetAndNoBlankAtAnEnd) {
  EXPECT_TRUE(with_field("a", ""));
  EXPECT_TRUE(with_field("a", "b c\td"));
  EXPECT_TRUE(with_field("a", "\xc3\xa9"));
  for (const char* value : {" b", "b ", "\tb", "b\t", " ", "a\rb", "a\nb", "\r", "\n", "a\r\nb: c"})
    EXPECT_FALSE(with_field("a", value)) << value;
  EXPECT_FALSE(with_field("a", std::string("a\0b", 3)));
}

TEST(Http2Fields, WhatBelongsToAConnectionOfHttp11IsMalformed) {
  for (const char* name : {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"})
    EXPECT_FALSE(with_field(name, "x")) << name;
  EXPECT_TRUE(with_field("te", "trailers"));
  EXPECT_TRUE(with_field("te", "Trailers"));
  EXPECT_FALSE(with_field("te", "gzip"));
  EXPECT_FALSE(with_field("te", "trailers, gzip"));
  EXPECT_FALSE(with_field("te", ""));
}

TEST(Http2Fields, ARequestHasItsPseudoHeaderFieldsOnceEach) {
  EXPECT_TRUE(request(kGet));
  EXPECT_TRUE(request(without(kGet, ":authority")));
  for (const char* name : {":method", ":scheme", ":path"}) EXPECT_FALSE(request(without(kGet, name))) << name;
  for (auto& [name, value] : kGet) EXPECT_FALSE(request(with(kGet, {{name, value}}))) << name;
  EXPECT_FALSE(request({}));
}

TEST(Http2Fields, PseudoHeaderFieldsComeFirst) {
  EXPECT_FALSE(request({{":method", "GET"}, {":scheme", "http"}, {"a", "b"}, {":path", "/"}}));
  EXPECT_FALSE(request({{":method", "GET"}, {":scheme", "http"}, {"host", "x"}, {":path", "/"}}));
  EXPECT_FALSE(request({{":method", "GET"}, {":scheme", "http"}, {"content-length", "0"}, {":path", "/"}}));
  EXPECT_FALSE(right(Part::kResponse, {{"a", "b"}, {":status", "200"}}));
}

TEST(Http2Fields, APseudoHeaderFieldThatIsNotKnownIsMalformed) {
  for (const char* name : {":", ":x", ":protocol", ":Method"}) EXPECT_FALSE(with_field(name, "x")) << name;
}

TEST(Http2Fields, APseudoHeaderFieldOfTheOtherKindIsMalformed) {
  EXPECT_FALSE(request(with(kGet, {{":status", "200"}})));
  EXPECT_FALSE(right(Part::kResponse, {{":status", "200"}, {":path", "/"}}));
  EXPECT_FALSE(right(Part::kResponse, {{":method", "GET"}, {":status", "200"}}));
}

TEST(Http2Fields, TrailersHaveNoPseudoHeaderFields) {
  EXPECT_TRUE(right(Part::kTrailers, {}));
  EXPECT_TRUE(right(Part::kTrailers, {{"grpc-status", "0"}}));
  EXPECT_FALSE(right(Part::kTrailers, {{":status", "200"}}));
  for (auto& [name, value] : kGet) EXPECT_FALSE(right(Part::kTrailers, {{name, value}})) << name;
}

TEST(Http2Fields, AResponseHasOneStatusOfThreeDigits) {
  for (const char* status : {"100", "103", "200", "404", "599", "999"})
    EXPECT_TRUE(right(Part::kResponse, {{":status", status}})) << status;
  for (const char* status : {"", "0", "20", "2000", "099", "2 0", "-20", "20a", "000"})
    EXPECT_FALSE(right(Part::kResponse, {{":status", status}})) << status;
  EXPECT_FALSE(right(Part::kResponse, {}));
  EXPECT_FALSE(right(Part::kResponse, {{"a", "b"}}));
  EXPECT_FALSE(right(Part::kResponse, {{":status", "200"}, {":status", "200"}}));
}

TEST(Http2Fields, SwitchingProtocolsHasNoMeaning) { EXPECT_FALSE(right(Part::kResponse, {{":status", "101"}})); }

TEST(Http2Fields, APathBeginsWithASlashAndHasNoBlank) {
  for (const char* path : {"/", "/a?b=c&d", "/%20", "//x"}) EXPECT_TRUE(request(where(kGet, ":path", path))) << path;
  for (const char* path : {"", "a", "?a", "http://x/", "/a b", "/a\tb", "/a\r\nb", "/\x7f", "*"})
    EXPECT_FALSE(request(where(kGet, ":path", path))) << path;
  EXPECT_TRUE(request(where(where(kGet, ":path", "*"), ":method", "OPTIONS")));
  EXPECT_FALSE(request(where(where(kGet, ":path", "**"), ":method", "OPTIONS")));
}

TEST(Http2Fields, AMethodIsAToken) {
  for (const char* method : {"GET", "get", "PROPFIND", "M-SEARCH"})
    EXPECT_TRUE(request(where(kGet, ":method", method))) << method;
  for (const char* method : {"", "G T", "GET\r\n", "G/T", "GET "})
    EXPECT_FALSE(request(where(kGet, ":method", method))) << method;
}

TEST(Http2Fields, ASchemeIsOne) {
  for (const char* scheme : {"http", "https", "coap+tcp"}) EXPECT_TRUE(request(where(kGet, ":scheme", scheme)));
  for (const char* scheme : {"", "1http", "ht tp", "http:", "http://x"})
    EXPECT_FALSE(request(where(kGet, ":scheme", scheme))) << scheme;
}

TEST(Http2Fields, AnAuthorityHasNoUserInformation) {
  for (const char* authority : {"x", "x:80", "[::1]:443", "a-b.example", ""})
    EXPECT_TRUE(request(where(kGet, ":authority", authority))) << authority;
  for (const char* authority : {"a@x", "user:word@x", "x/y", "x?y", "x#y", "x y", "x\r\n", "\xc3\xa9"})
    EXPECT_FALSE(request(where(kGet, ":authority", authority))) << authority;
}

TEST(Http2Fields, ConnectHasAnAuthorityAndNeitherSchemeNorPath) {
  EXPECT_TRUE(request({{":method", "CONNECT"}, {":authority", "x:443"}}));
  EXPECT_FALSE(request({{":method", "CONNECT"}}));
  EXPECT_FALSE(request({{":method", "CONNECT"}, {":authority", "x:443"}, {":scheme", "http"}}));
  EXPECT_FALSE(request({{":method", "CONNECT"}, {":authority", "x:443"}, {":path", "/"}}));
}

TEST(Http2Fields, ThereIsOneContentLengthOfDigits) {
  auto length = [](std::initializer_list<std::pair<std::string, std::string>> fields) -> std::string {
    FieldRules rules(Part::kRequest);
    for (auto& [name, value] : fields)
      if (!rules.add(static_cast<FieldKind>(field_kind(name, value)), value)) return "malformed";
    return rules.content_length() ? std::to_string(*rules.content_length()) : "none";
  };
  EXPECT_EQ(length({}), "none");
  EXPECT_EQ(length({{"content-length", "0"}}), "0");
  EXPECT_EQ(length({{"content-length", "1234567890123"}}), "1234567890123");
  for (const char* value : {"", "-1", "+1", "1a", "0x1", "1 2", "1,1", "99999999999999999999"})
    EXPECT_EQ(length({{"content-length", value}}), "malformed") << value;
  EXPECT_EQ(length({{"content-length", "1"}, {"content-length", "1"}}), "malformed");
}

TEST(Http2Fields, ThereIsOneHost) {
  EXPECT_TRUE(request(with(kGet, {{"host", "x"}})));
  EXPECT_FALSE(request(with(kGet, {{"host", "x"}, {"host", "x"}})));
}

}  // namespace
}  // namespace duplex::http
