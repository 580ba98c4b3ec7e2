// HTTP/1.1 served to raw octets, as an attacker would send them.
#include "http/http1_testing.h"

namespace duplex::http {
namespace {

struct Bad {
  const char* why;
  int status;
  std::string octets;
};

// What is refused, with the status it is refused with. The handler never sees it.
std::vector<Bad> bad_requests() {
  auto with = [](std::string fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; };
  auto chunked = [&](std::string body) { return with("Transfer-Encoding: chunked\r\n") + body; };
  auto line = [](std::string start) { return start + "\r\nHost: a\r\n\r\n"; };
  using namespace std::string_literals;
  return {
      {"length and encoding", 400, with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
      {"encoding and length", 400, with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n"},
      {"chunked, identity", 400, with("Transfer-Encoding: chunked, identity\r\n")},
      {"identity", 400, with("Transfer-Encoding: identity\r\n")},
      {"identity, chunked", 400, with("Transfer-Encoding: identity, chunked\r\n")},
      {"xchunked", 400, with("Transfer-Encoding: xchunked\r\n")},
      {"chunked twice", 400, with("Transfer-Encoding: chunked, chunked\r\n")},
      {"chunked in two fields", 400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"split encodings", 400, with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")},
      {"an empty encoding", 400, with("Transfer-Encoding:\r\n")},
      {"VT before chunked", 400, with("Transfer-Encoding: \vchunked\r\n")},
      {"NUL after chunked", 400, with("Transfer-Encoding: chunked\0\r\n"s)},
      {"quoted chunked", 400, with("Transfer-Encoding: \"chunked\"\r\n")},
      {"a blank before the colon", 400, with("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n"},
      {"a tab before the colon", 400, with("Content-Length\t: 5\r\n") + "hello"},
      {"encoding folded", 400, with("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n"},
      {"a folded field", 400, with("X-A: b\r\n c\r\n")},
      {"a field folded by a tab", 400, with("X-A: b\r\n\tc\r\n")},
      {"a fold of blanks", 400, with("X-A: b\r\n \r\n")},
      {"encoding on 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two lengths that differ", 400, with("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello"},
      {"two lengths alike", 400, with("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello"},
      {"a list of lengths", 400, with("Content-Length: 5, 5\r\n") + "hello"},
      {"+5", 400, with("Content-Length: +5\r\n") + "hello"},
      {"-0", 400, with("Content-Length: -0\r\n")},
      {"0x5", 400, with("Content-Length: 0x5\r\n") + "hello"},
      {"5 5", 400, with("Content-Length: 5 5\r\n") + "hello"},
      {"5.0", 400, with("Content-Length: 5.0\r\n") + "hello"},
      {"no digits", 400, with("Content-Length:\r\n")},
      {"2^64", 400, with("Content-Length: 18446744073709551616\r\n")},
      {"2^63", 400, with("Content-Length: 9223372036854775808\r\n")},
      {"chunk size with a sign", 400, chunked("+5\r\nhello\r\n0\r\n\r\n")},
      {"negative chunk size", 400, chunked("-5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size 0x5", 400, chunked("0x5\r\nhello\r\n0\r\n\r\n")},
      {"blank before a chunk size", 400, chunked(" 5\r\nhello\r\n0\r\n\r\n")},
      {"blank after a chunk size", 400, chunked("5 \r\nhello\r\n0\r\n\r\n")},
      {"17 hexadecimal digits", 400, chunked("10000000000000000\r\n")},
      {"LF after a chunk size", 400, chunked("5\nhello\r\n0\r\n\r\n")},
      {"CR CR after a chunk size", 400, chunked("5\r\rhello\r\n0\r\n\r\n")},
      {"no CRLF after chunk data", 400, chunked("5\r\nhello0\r\n\r\n")},
      {"chunk data too long", 400, chunked("5\r\nhelloXX\r\n0\r\n\r\n")},
      {"LF after chunk data", 400, chunked("5\r\nhello\n0\r\n\r\n")},
      {"no chunk size", 400, chunked("\r\nhello\r\n")},
      {"an extension without a size", 400, chunked(";a=b\r\n")},
      {"LF in an extension", 400, chunked("5;a\nhello\r\n0\r\n\r\n")},
      {"CR in an extension", 400, chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")},
      {"LF in a quoted extension", 400, chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")},
      {"an endless extension", 400, chunked("5;" + std::string(5000, 'a') + "\r\nhello\r\n0\r\n\r\n")},
      {"a folded trailer", 400, chunked("0\r\nX-A: b\r\n c\r\n\r\n")},
      {"LF in trailers", 400, chunked("0\r\nX-A: b\n\r\n")},
      {"a trailer without a name", 400, chunked("0\r\n: b\r\n\r\n")},
      {"LF lines", 400, "GET / HTTP/1.1\nHost: a\n\n"},
      {"one LF line", 400, "GET / HTTP/1.1\r\nHost: a\nX-B: c\r\n\r\n"},
      {"an LF that ends the head", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"CR in a value", 400, with("X-A: b\rc\r\n")},
      {"CR in a name", 400, with("X\r-A: b\r\n")},
      {"CR CR LF", 400, with("X-A: b\r\r\n")},
      {"NUL in a value", 400, with("X-A: b\0c\r\n"s)},
      {"DEL in a value", 400, with("X-A: b\x7f\r\n")},
      {"NUL in a name", 400, with("X\0A: b\r\n"s)},
      {"an octet past ASCII in a name", 400, with("X-\xe9: b\r\n")},
      {"a blank in a name", 400, with("X A: b\r\n")},
      {"an empty name", 400, with(": b\r\n")},
      {"no colon", 400, with("X-A\r\n")},
      {"a blank before the first field", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"a blank line of blanks", 400, "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"},
      {"two empty lines first", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"LF first", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a blank first", 400, line(" GET / HTTP/1.1")},
      {"no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"two Hosts on 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"an empty Host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"a list as Host", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"a path in Host", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a user in Host", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
      {"a port that is none", 400, "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"},
      {"half an IPv6 Host", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
      {"HTTP/1.2", 505, line("GET / HTTP/1.2")},
      {"HTTP/2.0", 505, line("GET / HTTP/2.0")},
      {"HTTP/0.9", 505, line("GET / HTTP/0.9")},
      {"no version", 400, line("GET /")},
      {"lower case version", 400, line("GET / http/1.1")},
      {"a version too long", 400, line("GET / HTTP/1.10")},
      {"a version without a dot", 400, line("GET / HTTP/11")},
      {"a blank after the version", 400, line("GET / HTTP/1.1 ")},
      {"a fragment", 400, line("GET /a#b HTTP/1.1")},
      {"a blank in the target", 400, line("GET /a b HTTP/1.1")},
      {"two blanks", 400, line("GET  / HTTP/1.1")},
      {"a tab between", 400, line("GET\t/ HTTP/1.1")},
      {"no target", 400, line("GET HTTP/1.1")},
      {"a target without a slash", 400, line("GET a HTTP/1.1")},
      {"* for GET", 400, line("GET * HTTP/1.1")},
      {"%00", 400, line("GET /a%00b HTTP/1.1")},
      {"half an escape", 400, line("GET /a%2 HTTP/1.1")},
      {"no escape", 400, line("GET /%zz HTTP/1.1")},
      {"an octet past ASCII in the target", 400, line("GET /\xc3\xa9 HTTP/1.1")},
      {"a backslash", 400, line("GET /a\\b HTTP/1.1")},
      {"NUL in the target", 400, line("GET /\0 HTTP/1.1"s)},
      {"another scheme", 400, line("GET ftp://a/ HTTP/1.1")},
      {"a user in the target", 400, line("GET http://u@a/ HTTP/1.1")},
      {"no authority in the target", 400, line("GET http:///a HTTP/1.1")},
      {"an unknown method", 501, line("BREW / HTTP/1.1")},
      {"a lower case method", 501, line("get / HTTP/1.1")},
      {"RTSP's method", 501, line("DESCRIBE / HTTP/1.1")},
      {"CONNECT", 501, line("CONNECT a:80 HTTP/1.1")},
      {"TRACE", 501, line("TRACE / HTTP/1.1")},
      {"a method that is no token", 400, line("G@T / HTTP/1.1")},
      {"an expectation nobody knows", 417, with("Expect: 200-ok\r\n")},
      {"a request line without end", 414, "GET /" + std::string(70000, 'a')},
      {"a request line too long", 414, line("GET /" + std::string(70000, 'a') + " HTTP/1.1")},
      {"a field too long", 431, with("X-A: " + std::string(70000, 'b') + "\r\n")},
      {"fields too long together", 431, with([] {
         std::string all;
         for (int i = 0; i < 700; ++i) all += "X-A: " + std::string(100, 'b') + "\r\n";
         return all;
       }())},
      {"too many fields", 431, with([] {
         std::string all;
         for (int i = 0; i < 1100; ++i) all += "A: b\r\n";
         return all;
       }())},
      {"TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"s},
      {"the HTTP/2 preface in pieces", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
  };
}

TEST(Http1Server, RefusesMalformedRequests) {
  std::vector<Bad> all = bad_requests();
  EXPECT_GE(all.size(), 100u);
  for (const Bad& bad : all) {
    Served s;
    s.send(bad.octets);
    std::string answer = s.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status) + " ")) << bad.why << ": " << answer;
    EXPECT_TRUE(contains(answer, "connection: close\r\n")) << bad.why;
    EXPECT_EQ(count_of(answer, "date: "), 1u) << bad.why;
    s.close();
    EXPECT_TRUE(s.wait_for_end()) << bad.why;
    EXPECT_EQ(s.handler.served, 0) << bad.why;
  }
}

TEST(Http1Server, RefusesMalformedRequestsOctetByOctetToo) {
  for (const Bad& bad : bad_requests()) {
    if (bad.octets.size() > 300) continue;
    Served s;
    s.drip(bad.octets);
    std::string answer = s.read_to_end();
    s.close();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status) + " ")) << bad.why << ": " << answer;
    EXPECT_TRUE(s.wait_for_end()) << bad.why;
  }
}

// Octets of another protocol get no answer that their sender could take for one of its own; after a request they do,
// since then it is HTTP that went wrong.
TEST(Http1Server, WhatIsNoHttpAtAllIsClosedWithoutAnAnswer) {
  for (const char* octets :
       {"INVALID CONNECTION PREFACE\r\n\r\n", "EHLO example.com\r\n", "QUIT\r\n", "hello\r\nworld\r\n"}) {
    SCOPED_TRACE(octets);
    Served s;
    s.send(octets);
    EXPECT_EQ(s.read_to_end(), "");
    s.close();
    EXPECT_TRUE(s.wait_for_end());
    Served after;
    after.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\n");
    after.read_until("/good a\n");
    after.send(octets);
    EXPECT_TRUE(after.read_to_end().starts_with("HTTP/1.1 400 "));
  }
}

TEST(Http1Server, RefusedAfterAGoodOne) {
  Served s;
  s.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string answers = s.read_to_end();
  EXPECT_EQ(count_of(answers, "HTTP/1.1 200"), 1u);
  EXPECT_EQ(count_of(answers, "HTTP/1.1 400"), 1u);
  EXPECT_EQ(s.handler.served, 1);
}

}  // namespace
}  // namespace duplex::http
