// HTTP/1.1 served to raw octets, as a client would send them.
#include "http/http1_testing.h"

namespace duplex::http {
namespace {

TEST(Http1Server, AnswersAUnaryRequestWithItsLength) {
  Served s;
  s.send("GET /a?b=c HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n");
  std::string answer = s.read_until("shop.test:8080\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(contains(answer, "content-length: 26\r\n"));
  EXPECT_TRUE(contains(answer, "date: "));
  EXPECT_TRUE(contains(answer, " GMT\r\n"));
  EXPECT_FALSE(contains(answer, "connection:"));
  EXPECT_EQ(body_of(answer), "GET /a?b=c shop.test:8080\n");
}

TEST(Http1Server, KeepsTheConnection) {
  Served s;
  for (int i = 0; i < 100; ++i) {
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(body_of(s.read_until("hello")), "POST /echo a\nhello");
  }
  EXPECT_EQ(s.handler.served, 100);
}

TEST(Http1Server, TakesWhatWasReadBefore) {
  Served s({}, "GET /x HTTP/1.1\r\nHos");
  s.send("t: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/x a\n")), "GET /x a\n");
}

TEST(Http1Server, AnswersPipelinedRequestsInOrder) {
  Served s;
  std::string all;  // "/later" answers late and nothing may overtake it
  for (int i = 0; i < 20; ++i)
    all += "GET /" + std::string(i % 7 == 0 ? "later" : "n" + std::to_string(i)) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  s.send(all + "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(soon([&] { return s.handler.served > 0; }));
  s.handler.go = true;
  std::string answers = s.read_to_end();
  size_t at = 0;
  for (int i = 0; i < 20; ++i) {
    at = answers.find(i % 7 == 0 ? "GET /later a" : "GET /n" + std::to_string(i) + " a", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_TRUE(answers.ends_with("GET /last a\n"));
  EXPECT_TRUE(contains(answers, "connection: close"));
}

TEST(Http1Server, DeepPipelineNeitherRecursesNorGrows) {
  Served s;
  std::string all;
  for (int i = 0; i < 20000; ++i) all += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::thread writer([&] {
    s.send(all);
    s.half_close();
  });
  std::string answers = s.read_to_end();
  writer.join();
  EXPECT_EQ(count_of(answers, "HTTP/1.1 200 OK"), 20000u);
  EXPECT_TRUE(s.wait_for_end());
}

TEST(Http1Server, OctetByOctet) {
  Served s;
  std::string request =
      "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n"
      "X-T: v\r\n\r\nGET /last HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
  s.drip(request);
  std::string answers = s.read_to_end();
  EXPECT_TRUE(contains(answers, "POST /echo a\ntrailer x-t=v\nabc0123456789")) << answers;
  EXPECT_TRUE(answers.ends_with("GET /last b\n"));
}

TEST(Http1Server, ChunkedInAndForbiddenTrailersDropped) {
  Served s;
  s.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n"
      "X-Sum: 9\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nAuthorization: x\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("hello")), "POST /echo a\ntrailer x-sum=9\nhello");
}

TEST(Http1Server, StreamsInChunksBothWays) {
  Served s;
  s.send("POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(contains(s.read_until("\r\n\r\n"), "transfer-encoding: chunked\r\n"));
  s.send("3\r\nabc\r\n");
  EXPECT_EQ(s.read_until("abc\r\n"), "3\r\nabc\r\n");
  s.send("4\r\ndefg\r\n0\r\n\r\n");
  EXPECT_EQ(chunks_of(s.read_until("0\r\n\r\n")), "defg|\r\n");
  s.send("GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/n a\n")), "GET /n a\n");
}

TEST(Http1Server, TrailersOnlyToWhoTakesThem) {
  Served s;
  s.send("GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
  EXPECT_EQ(chunks_of(body_of(s.read_until("7\r\n\r\n"))), "body|x-sum: 7\r\n\r\n");
  s.send("GET /trailers HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string answer = s.read_until("body");
  EXPECT_TRUE(contains(answer, "content-length: 4\r\n")) << answer;
}

TEST(Http1Server, LargeBodyInBoundedMemory) {
  Served s;
  std::string body(8 << 20, 'x');
  s.send("POST /slow-reader HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  size_t taken = s.send_while_taken(body);  // nobody reads: the socket's buffers and 128 KiB fill
  EXPECT_LT(taken, 2u << 20);
  s.handler.go = true;
  s.send(std::string_view(body).substr(taken));
  EXPECT_EQ(body_of(s.read_until(std::to_string(body.size()))).substr(0, 7), "8388608");
  EXPECT_LE(s.handler.most_unread, 192u << 10);
  s.send("GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/n a\n")), "GET /n a\n");
}

TEST(Http1Server, LargeAnswerInBoundedMemory) {
  Served s;
  s.send("GET /big/20000000 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(soon([&] { return s.handler.held.load(); }));  // it is not put together while nobody reads
  EXPECT_LT(s.handler.most_unsent, 128u << 10);
  s.half_close();
  std::string answer = s.read_to_end();
  EXPECT_EQ(chunks_of(body_of(answer)).size(), 20000000u + 3);
  EXPECT_LT(s.handler.most_unsent, 128u << 10);
}

TEST(Http1Server, ACallerThatClosesItsHalfWhileTheHandlerIsAboutToWriteGetsTheWholeAnswer) {
  Served s;
  s.handler.at_first_piece = [&] { s.half_close(); };  // heard of after all that was there has gone out
  s.send("GET /big/1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(chunks_of(body_of(s.read_to_end())).size(), 1000000u + 3);
}

TEST(Http1Server, HeadHasNoBody) {
  Served s;
  s.send(
      "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /big/100000 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /empty HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  std::string answers = s.read_to_end();
  EXPECT_EQ(count_of(answers, "HTTP/1.1 200"), 3u);
  EXPECT_EQ(count_of(answers, "HTTP/1.1 204"), 1u);
  EXPECT_TRUE(contains(answers, "content-length: 10\r\n\r\nHTTP/1.1 200"));
  EXPECT_FALSE(contains(answers, "bbbb"));
  EXPECT_TRUE(answers.ends_with("\r\n\r\nGET /b a\n"));
}

TEST(Http1Server, HalfClosedCallerIsAnswered) {
  Served s;
  s.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  s.half_close();
  EXPECT_TRUE(soon([&] { return s.handler.served > 0; }));
  s.handler.go = true;
  std::string answers = s.read_to_end();
  EXPECT_TRUE(contains(answers, "GET /later a\n"));
  EXPECT_TRUE(answers.ends_with("GET /next a\n"));
  EXPECT_TRUE(s.wait_for_end());
}

TEST(Http1Server, ACallerThatClosesAltogetherIsHeardEvenOnAUnixSocket) {
  Served s;
  s.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  s.close();
  EXPECT_TRUE(s.wait_for_end());
  EXPECT_EQ(s.handler.cancelled, 1);
}

TEST(Http1Server, Http10) {
  {
    Served s;
    s.send("GET /a HTTP/1.0\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\nGET /a \n"));
  }
  {
    Served s;
    s.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(contains(s.read_until("GET /a \n"), "connection: keep-alive\r\n"));
    s.send("GET /big/100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_FALSE(contains(answer, "transfer-encoding"));
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
    EXPECT_EQ(body_of(answer), std::string(100000, 'b'));
  }
}

TEST(Http1Server, ContinueWhenTheBodyIsAwaited) {
  {
    Served s;
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(s.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    s.send("hello");
    EXPECT_EQ(body_of(s.read_until("hello")), "POST /echo a\nhello");
  }
  {
    Served s;  // the body is there already
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    EXPECT_TRUE(s.read_until("hello").starts_with("HTTP/1.1 200 OK"));
  }
  {
    Served s;  // nobody wants it: the connection ends, since nobody knows whether it comes
    s.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK"));
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
  }
}

TEST(Http1Server, Interim) {
  Served s;
  s.send("GET /hint HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(s.read_until("\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("hinted")), "hinted");
}

TEST(Http1Server, UnreadBody) {
  Served s;
  s.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("early")), "early");
  s.send(std::string(100000, 'x') + "GET /n HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("/n a\n")), "GET /n a\n");
  s.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  std::string answer = s.read_to_end();
  EXPECT_TRUE(contains(answer, "connection: close\r\n"));
  EXPECT_EQ(body_of(answer), "early");
}

TEST(Http1Server, HandlerThatDoesNotAnswer) {
  {
    Served s;
    s.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
    s.half_close();
    EXPECT_EQ(count_of(s.read_to_end(), "HTTP/1.1 500 Internal Server Error\r\n"), 2u);
  }
  {
    Served s;
    s.send("GET /partial HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string answer = s.read_to_end();
    EXPECT_EQ(chunks_of(body_of(answer)), "a part(no end)");
  }
}

TEST(Http1Server, NoResponseSplitting) {
  Served s;
  s.send("GET /split HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string answer = s.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500"));
  EXPECT_FALSE(contains(answer, "set-cookie"));
}

TEST(Http1Server, AbsoluteFormWins) {
  Served s;
  s.send("GET http://real.test:81/p?q=1 HTTP/1.1\r\nHost: other.test\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until(":81\n")), "GET /p?q=1 real.test:81\n");
  s.send("GET http://real.test?q HTTP/1.1\r\nHost: other.test\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until(".test\n")), "GET /?q real.test\n");
  s.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(s.read_until("* a\n")), "OPTIONS * a\n");
}

TEST(Http1Server, Fields) {
  Served s;
  s.send(
      "GET /fields HTTP/1.1\r\nHost: a\r\nX-A:  one \t\r\nx-a:two\r\nX-Empty:\r\nX-Latin: caf\xe9\r\n"
      "Connection: keep-alive, x-hop, authorization\r\nX-Hop: h\r\nAuthorization: Bearer t\r\nKeep-Alive: 5\r\n\r\n"
      "GET /end HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
  std::string answers = s.read_to_end();
  EXPECT_TRUE(contains(answers, "\nx-a=one\nx-a=two\nx-empty=\nx-latin=caf\xe9\nauthorization=Bearer t\nHTTP/1.1"))
      << answers;
}

TEST(Http1Server, Upgrade) {
  Served s;
  s.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nUpgrade: upper\r\nConnection: upgrade\r\n\r\nabc");
  EXPECT_TRUE(s.read_until("ABC").starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  s.send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(s.read_until("\n"), "GET / HTTP/1.1\r\n");
  s.send("bye");
  EXPECT_EQ(s.read_to_end(), "BYE");
}

TEST(Http1Server, TimeoutOfAHead) {
  Limits limits;
  limits.head_timeout = 50ms;
  Served s(limits);
  s.send("GET / HTTP/1.1\r\nHo");
  std::string answer = s.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_TRUE(contains(answer, "connection: close"));
}

TEST(Http1Server, DrippingDoesNotProlongAHead) {
  Limits limits;
  limits.head_timeout = 100ms;
  Served s(limits);
  s.send("GET / HTTP/1.1\r\n");
  EXPECT_TRUE(soon([&] {
    s.send("X-A: b\r\n");
    return s.ended.load();
  }));
  EXPECT_TRUE(s.read_to_end().starts_with("HTTP/1.1 408 "));
}

TEST(Http1Server, ConnectionNamesAtMost32Fields) {
  auto asking = [](int elements) {
    std::string list = "close";
    for (int i = 1; i < elements; ++i) list += ", q";
    Served s;
    s.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: " + list + "\r\n\r\n");
    return s.read_to_end().substr(0, 12);
  };
  EXPECT_EQ(asking(32), "HTTP/1.1 200");
  EXPECT_EQ(asking(33), "HTTP/1.1 400");
  EXPECT_EQ(asking(20'000), "HTTP/1.1 400");  // each would be looked for among all fields
}

TEST(Http1Server, IdleConnectionEnds) {
  Limits limits;
  limits.idle = 50ms;
  Served s(limits);
  s.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(s.read_to_end().ends_with("GET / a\n"));
}

TEST(Http1Server, GoneCallerCancels) {
  {
    Served s;
    s.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_TRUE(soon([&] { return s.handler.served > 0; }));
    s.close();
    EXPECT_TRUE(s.wait_for_end());
    EXPECT_EQ(s.handler.cancelled, 1);
    EXPECT_TRUE(s.handler.last_error.starts_with("CANCELLED: the caller has gone")) << s.handler.last_error;
  }
  {
    Served s;  // learnt from the write
    s.send("GET /big/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    s.read_until("bbbb");
    s.close();
    EXPECT_TRUE(s.wait_for_end());
    EXPECT_EQ(s.handler.cancelled, 1);
  }
  {
    Served s;  // the body is malformed while the handler waits for it
    s.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    EXPECT_TRUE(soon([&] { return s.handler.served > 0; }));
    s.send("zz\r\n");
    EXPECT_TRUE(s.read_to_end().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_TRUE(s.wait_for_end());
  }
}

TEST(Http1Server, Drain) {
  {
    Served s;  // idle: at once
    s.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    s.read_until("/ a\n");
    s.on_loop([](ServerConnection* c) { c->drain(); });
    EXPECT_EQ(s.read_to_end(), "");
  }
  {
    Served s;  // the one that runs is answered, and told
    s.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(soon([&] { return s.handler.served > 0; }));
    s.on_loop([](ServerConnection* c) { c->drain(); });
    s.handler.go = true;
    std::string answer = s.read_to_end();
    EXPECT_TRUE(contains(answer, "connection: close\r\n"));
    EXPECT_EQ(body_of(answer), "GET /later a\n");
  }
}

TEST(Http1Server, Cancel) {
  Served s;
  s.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(soon([&] { return s.handler.served > 0; }));
  s.on_loop([](ServerConnection* c) { c->cancel(Status::unavailable("the server stops")); });
  std::string answer = s.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_EQ(s.handler.cancelled, 1);
  EXPECT_TRUE(s.wait_for_end());
}

}  // namespace
}  // namespace duplex::http
