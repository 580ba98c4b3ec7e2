// A server as its users run it: filters that throw, logs that nobody reads, stops, deadlines, telemetry.
#include "duplex/app/server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "duplex/service/pipe.h"
#include "talk_service.h"
#include "wire.h"

namespace duplex {
namespace {

using talk::v1::Pair;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "duplex-core-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

Task<Outcome> fine(Context&, Call&) { co_return Outcome(); }

TEST(ServerFilters, OneThatThrowsIsInternalCountedLoggedAndTheConnectionGoesOn) {
  Folder folder;
  Server::Settings settings = Pair::quiet();
  settings.loops = 1;
  settings.log_file = folder.file("log");
  Server server(settings);
  server.listen("127.0.0.1:0").route("GET /x", fine);
  std::atomic<bool> throws{true};
  server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    if (throws) throw std::runtime_error("no such tenant");
    co_return co_await next.call(ctx, c);
  }));
  ASSERT_TRUE(server.start().is_ok());
  Fd fd = dial(server.addresses()[0]);
  Peer1 one(server.addresses()[0]);
  {
    Peer2 two(fd.get());
    int32_t first = two.ask("GET", "/x");
    ASSERT_TRUE(two.until_closed(first));
    EXPECT_EQ(two.streams[first]->fields[":status"], "500");
    EXPECT_TRUE(has(two.streams[first]->data, "INTERNAL"));
    EXPECT_FALSE(has(two.streams[first]->data, "tenant"));
    std::string answer = one.ask("GET", "/x");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_TRUE(has(answer, "\"code\":\"INTERNAL\"")) << answer;
    EXPECT_FALSE(has(answer, "tenant")) << answer;

    throws = false;
    int32_t second = two.ask("GET", "/x");
    ASSERT_TRUE(two.until_closed(second));
    EXPECT_EQ(two.streams[second]->fields[":status"], "200");
    EXPECT_TRUE(one.ask("GET", "/x").starts_with("HTTP/1.1 200 "));
  }
  std::string metrics = one.ask("GET", "/metrics");
  EXPECT_TRUE(has(
      metrics, "rpc_server_call_duration_seconds_count{rpc_method=\"http:GET /x\",rpc_status_code=\"INTERNAL\"} 2\n"))
      << metrics;
  EXPECT_TRUE(server.stop());
  std::string log = content(settings.log_file);
  EXPECT_TRUE(has(log, "no such tenant")) << log;
  EXPECT_TRUE(has(log, "\"rpc.status_code\":\"INTERNAL\"")) << log;
}

TEST(ServerLogDeathTest, OneWhoseReaderHasLeftDoesNotEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::signal(SIGPIPE, SIG_DFL);
        Folder folder;
        Server::Settings settings = Pair::quiet();
        settings.log_file = folder.file("log");
        if (::mkfifo(settings.log_file.c_str(), 0600) != 0) std::_Exit(2);
        Fd reader(::open(settings.log_file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        Server server(settings);
        server.listen("127.0.0.1:0").route("GET /x", fine);
        if (!server.start().is_ok()) std::_Exit(3);
        Peer1 peer(server.addresses()[0]);
        if (!peer.ask("GET", "/x").starts_with("HTTP/1.1 200 ")) std::_Exit(4);
        char room[4096];
        if (!soon([&] { return ::read(reader.get(), room, sizeof room) > 0; })) std::_Exit(5);  // its line
        reader = Fd();
        // Its line is written before the next call of that connection is read.
        for (int i = 0; i < 3; ++i)
          if (!peer.ask("GET", "/x").starts_with("HTTP/1.1 200 ")) std::_Exit(6);
        if (!server.stop()) std::_Exit(7);
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ServerTelemetry, AClientThatOutlivesServersIsSeenAtEach) {
  const Method method("/t.T/U", false, false);
  Client client(Client::Settings{.name = "peer", .address = "127.0.0.1:1"});
  for (int i = 0; i < 3; ++i) {
    Server server(Pair::quiet());
    server.listen("127.0.0.1:0").route("GET /x", [&](Context& ctx, Call&) -> Task<Outcome> {
      One in(text("x"));
      Keep out;
      Call call(method, Metadata(), in, out);
      Outcome outcome = co_await client.call(ctx, call);
      EXPECT_EQ(outcome.status.code(), Code::kUnavailable);
      co_return Outcome();
    });
    ASSERT_TRUE(server.start().is_ok());
    Peer1 peer(server.addresses()[0]);
    EXPECT_TRUE(peer.ask("GET", "/x").starts_with("HTTP/1.1 200 "));
    std::string metrics = peer.ask("GET", "/metrics");
    EXPECT_TRUE(has(metrics,
                    "rpc_client_call_duration_seconds_count{rpc_method=\"t.T/U\",peer=\"peer\","
                    "rpc_status_code=\"UNAVAILABLE\"} 1\n"))
        << "server " << i << "\n"
        << metrics;
    EXPECT_TRUE(server.stop());
  }
}

TEST(ServerStop, ASilentConnectionDoesNotHoldIt) {
  Server::Settings settings = Pair::quiet();
  settings.loops = 1;
  settings.grace = 100s;
  Server server(settings);
  server.listen("127.0.0.1:0").route("GET /x", fine);
  ASSERT_TRUE(server.start().is_ok());
  Fd silent = dial(server.addresses()[0]), half = dial(server.addresses()[0]);
  ASSERT_EQ(::send(half.get(), "PRI * HT", 8, MSG_NOSIGNAL), 8);
  Peer1 later(server.addresses()[0]);  // what is answered here was accepted after the others
  EXPECT_TRUE(later.ask("GET", "/x").starts_with("HTTP/1.1 200 "));
  Time start = Clock::now();
  EXPECT_TRUE(server.stop());
  EXPECT_LT(Clock::now() - start, 50s);  // not the grace
}

TEST(ServerTimeout, EndsAUnaryGrpcCallWithoutADeadlineAndNoStream) {
  Server::Settings settings = Pair::quiet();
  settings.timeout = 50ms;
  auto service = std::make_shared<talk::v1::TalkService>();
  Server server(settings);
  server.listen("127.0.0.1:0").serve(service);
  std::atomic<int> unary_bounded{0}, streams_bounded{0};
  server.use(filter([&](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    bool streams = c.method->caller_streams || c.method->service_streams;
    if (ctx.deadline() != kNever) ++(streams ? streams_bounded : unary_bounded);
    co_return co_await next.call(ctx, c);
  }));
  ASSERT_TRUE(server.start().is_ok());
  Fd fd = dial(server.addresses()[0]);
  Peer2 peer(fd.get());
  talk::v1::SayRequest slow, quick;
  slow.set_wait_ms(3'600'000);
  int32_t say = peer.request(framed(slow.SerializeAsString()), true, {{":path", "/talk.v1.Talk/Say"}});
  ASSERT_TRUE(peer.until_closed(say));
  EXPECT_EQ(peer.streams[say]->fields["grpc-status"], "4");
  // Who brings a deadline has its own, which may be longer.
  slow.set_wait_ms(100);
  int32_t own =
      peer.request(framed(slow.SerializeAsString()), true, {{":path", "/talk.v1.Talk/Say"}, {"grpc-timeout", "100S"}});
  ASSERT_TRUE(peer.until_closed(own));
  EXPECT_EQ(peer.streams[own]->fields["grpc-status"], "0");
  EXPECT_EQ(unary_bounded, 2);
  for (const char* path : {"/talk.v1.Talk/Chat", "/talk.v1.Talk/Count", "/talk.v1.Talk/Add"}) {
    int32_t stream = peer.request(framed(""), true, {{":path", path}});
    ASSERT_TRUE(peer.until_closed(stream)) << path;
    EXPECT_EQ(peer.streams[stream]->fields["grpc-status"], "0") << path;
  }
  EXPECT_EQ(streams_bounded, 0);
}

TEST(ServerRoutes, OneThatIsThereAlreadyIsRefused) {
  auto fine = [](Context&, Call&) { return Task<Outcome>::ready(Outcome()); };
  Server server(Pair::quiet());
  server.listen("127.0.0.1:0").route("GET /readyz", fine);  // the server's own
  Status s = server.start();
  EXPECT_EQ(s.code(), Code::kAlreadyExists) << s.to_string();
  EXPECT_NE(s.message().find("GET /readyz is there already"), std::string::npos) << s.message();
}

}  // namespace
}  // namespace duplex
