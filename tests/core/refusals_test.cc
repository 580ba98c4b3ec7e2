// What a caller is told who asked wrongly, and what a handler may not say.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using talk::v1::Pair;

// ---- problems ----

TEST(Refusals, AProblemHasTheStatusThatItIsSentWith) {
  Server::Settings settings = Pair::quiet();
  settings.max_message = 1000;
  Pair pair(settings);
  Peer1 peer(pair.server.addresses()[0]);
  auto expect = [](const std::string& answer, const std::string& status, const std::string& title) {
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status + " ")) << answer;
    EXPECT_TRUE(has(answer, "\"status\":" + status + ",")) << answer;
    EXPECT_TRUE(has(answer, "\"title\":\"" + title + "\"")) << answer;
  };
  constexpr std::string_view kJson = "content-type: application/json\r\n";
  expect(peer.ask("DELETE", "/v1/say"), "405", "Method Not Allowed");
  expect(peer.ask("POST", "/v1/say", kJson, std::string(2000, ' ')), "413", "Content Too Large");
  expect(peer.ask("POST", "/v1/say", "content-type: text/plain\r\n", "hello"), "415", "Unsupported Media Type");
  expect(peer.ask("POST", "/v1/say", kJson, "{"), "400", "Bad Request");
  expect(peer.ask("GET", "/nothing"), "404", "Not Found");
}

// ---- content-types ----

TEST(Refusals, AContentTypeIsTakenInAnyCaseAndNoOtherThanProto) {
  Pair pair;
  Fd fd = dial(pair.server.addresses()[0]);
  Peer2 peer(fd.get());
  auto ask = [&](const char* type) -> Peer2::Stream& {
    int32_t id = peer.request(framed(""), true, {{":path", "/talk.v1.Talk/Say"}, {"content-type", type}});
    EXPECT_TRUE(peer.until_closed(id)) << type;
    return *peer.streams[id];
  };
  for (const char* good : {"application/grpc", "application/grpc+proto", "Application/gRPC", "APPLICATION/GRPC+PROTO",
                           "application/grpc;charset=utf-8", "application/grpc+proto ; x=y"}) {
    Peer2::Stream& s = ask(good);
    EXPECT_EQ(s.fields[":status"], "200") << good;
    EXPECT_EQ(s.fields["grpc-status"], "0") << good;
  }
  for (const char* other : {"application/grpc+json", "Application/grpc+thrift;x=y"}) {
    Peer2::Stream& s = ask(other);
    EXPECT_EQ(s.fields[":status"], "415") << other;
    EXPECT_EQ(s.fields["grpc-status"], "12") << other;
    EXPECT_TRUE(has(s.fields["grpc-message"], "application/grpc")) << other;
  }
  for (const char* none : {"application/json", "text/plain", "application/grpcweb"}) {
    Peer2::Stream& s = ask(none);
    EXPECT_EQ(s.fields[":status"], "415") << none;
    EXPECT_TRUE(has(s.data, "application/grpc")) << none << s.data;
  }
  EXPECT_EQ(pair.service->running, 0);
}

// ---- what is refused before a handler is asked is seen all the same ----

TEST(Refusals, EachIsCountedAndHasALine) {
  std::string name = (std::filesystem::temp_directory_path() / "duplex-refusals-XXXXXX").string();
  const std::string folder = ::mkdtemp(name.data());
  Server::Settings settings = Pair::quiet();
  settings.loops = 1;
  settings.max_message = 1000;
  settings.log_file = folder + "/log";
  Pair pair(settings);
  Peer1 rest(pair.server.addresses()[0]);
  Fd fd = dial(pair.server.addresses()[0]);
  constexpr std::string_view kJson = "content-type: application/json\r\n";
  EXPECT_TRUE(rest.ask("POST", "/v1/say", kJson, "{").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(rest.ask("POST", "/v1/say", "content-type: text/plain\r\n", "hello").starts_with("HTTP/1.1 415 "));
  EXPECT_TRUE(rest.ask("POST", "/v1/say", kJson, std::string(2000, ' ')).starts_with("HTTP/1.1 413 "));
  {
    Peer2 grpc(fd.get());
    using Fields = Peer2::Fields;
    std::pair<Fields, const char*> calls[] = {{{{"grpc-timeout", "soon"}}, "13"},
                                              {{{"grpc-encoding", "snappy"}}, "12"},
                                              {{{"x-y-bin", "!"}}, "13"},
                                              {{{"content-type", "application/grpc+json"}}, "12"}};
    for (auto& [fields, status] : calls) {
      fields.emplace_back(":path", "/talk.v1.Talk/Say");
      int32_t id = grpc.request(framed(""), true, fields);
      ASSERT_TRUE(grpc.until_closed(id));
      EXPECT_EQ(grpc.streams[id]->fields["grpc-status"], status) << fields[0].first;
    }
  }
  std::string metrics = rest.ask("GET", "/metrics");
  auto expect = [&](const std::string& code, int count) {
    EXPECT_TRUE(
        has(metrics, "rpc_server_call_duration_seconds_count{rpc_method=\"talk.v1.Talk/Say\",rpc_status_code=\"" +
                         code + "\"} " + std::to_string(count) + "\n"))
        << code << "\n"
        << metrics;
  };
  expect("INVALID_ARGUMENT", 2);
  expect("RESOURCE_EXHAUSTED", 1);
  expect("INTERNAL", 2);
  expect("UNIMPLEMENTED", 2);
  EXPECT_TRUE(pair.server.stop());
  std::ifstream in(settings.log_file);
  std::string log{std::istreambuf_iterator<char>(in), {}};
  size_t lines = 0;
  for (size_t at = 0; (at = log.find("\"rpc.method\":\"talk.v1.Talk/Say\"", at)) != log.npos; ++at) ++lines;
  EXPECT_EQ(lines, 7u) << log;
  std::filesystem::remove_all(folder);
}

// ---- metadata that no field can carry ----

// Says what it is told as metadata of its answer.
class Says final : public Service {
 public:
  std::string name = "x-name", value;
  bool in_trailers = false;
  Task<Outcome> call(Context& ctx, Call& c) override {
    (in_trailers ? ctx.reply().trailers : ctx.reply().head).add(name, value);
    co_return co_await c.out->write(ctx, text("said"));
  }
};

TEST(ReplyMetadata, AValueWithALineBreakIsInternalAndNothingOfItIsSent) {
  auto says = std::make_shared<Says>();
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /x", [&](Context& ctx, Call& c) { return says->call(ctx, c); });
  ASSERT_TRUE(server.start().is_ok());
  Wire wire(false, [&](Context& ctx, Call& c) { return says->call(ctx, c); });
  Peer2 grpc(wire.peer_fd);
  Fd fd = dial(server.addresses()[0]);
  Peer2 two(fd.get());
  Peer1 one(server.addresses()[0]);
  for (bool in_trailers : {false, true})
    for (const std::string& value :
         {std::string("a\r\nset-cookie: b=c"), std::string("a\nb"), std::string("a\0b", 3)}) {
      says->value = value;
      says->in_trailers = in_trailers;
      int32_t id = grpc.request(framed(""), true);
      ASSERT_TRUE(grpc.until_closed(id));
      EXPECT_EQ(grpc.streams[id]->fields["grpc-status"], "13");
      EXPECT_TRUE(has(grpc.streams[id]->fields["grpc-message"], "x-name"));
      EXPECT_EQ(grpc.streams[id]->fields.count("x-name"), 0u);
      if (in_trailers) continue;  // of a stream, as a plain route is one: its head and body have left by then
      id = two.ask("GET", "/x");
      ASSERT_TRUE(two.until_closed(id));
      EXPECT_EQ(two.streams[id]->fields[":status"], "500");
      EXPECT_TRUE(has(two.streams[id]->data, "x-name")) << two.streams[id]->data;
      EXPECT_EQ(two.streams[id]->fields.count("x-name"), 0u);
      std::string answer = one.ask("GET", "/x");
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
      EXPECT_FALSE(has(answer, "set-cookie")) << answer;
      EXPECT_FALSE(has(answer, "\r\nx-name")) << answer;
    }
  // The connections go on, and a binary name may carry anything.
  says->in_trailers = false;
  says->value = "fine";
  EXPECT_TRUE(has(one.ask("GET", "/x"), "x-name: fine\r\n"));
  says->name = "x-name-bin";
  says->value = "a\r\nb";
  int32_t id = grpc.request(framed(""), true);
  ASSERT_TRUE(grpc.until_closed(id));
  EXPECT_EQ(grpc.streams[id]->fields["grpc-status"], "0");
  EXPECT_EQ(grpc.streams[id]->fields["x-name-bin"], "YQ0KYg");
}

TEST(ReplyMetadata, WhatAFilterAddsIsLeftOutIfNoFieldCanCarryIt) {
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /x", [](Context&, Call&) -> Task<Outcome> { co_return Outcome(); });
  server.use(filter([](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    Outcome outcome = co_await next.call(ctx, c);
    outcome.trailers.add("x-evil", "a\r\nset-cookie: b=c");
    outcome.trailers.add("x-good", "fine");
    co_return outcome;
  }));
  ASSERT_TRUE(server.start().is_ok());
  Fd fd = dial(server.addresses()[0]);
  Peer2 two(fd.get());
  Peer1 one(server.addresses()[0]);
  int32_t id = two.ask("GET", "/x");
  ASSERT_TRUE(two.until_closed(id));
  EXPECT_EQ(two.streams[id]->fields[":status"], "200");
  EXPECT_EQ(two.streams[id]->fields["x-good"], "fine");
  EXPECT_EQ(two.streams[id]->fields.count("x-evil"), 0u);
  std::string answer = one.ask("GET", "/x");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(has(answer, "x-good: fine")) << answer;
  EXPECT_FALSE(has(answer, "set-cookie")) << answer;
}

}  // namespace
}  // namespace duplex
