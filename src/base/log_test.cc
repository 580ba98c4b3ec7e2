#include "duplex/base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace duplex {
namespace {

using std::chrono::microseconds;
using std::chrono::system_clock;

const system_clock::time_point kWhen{microseconds(1'732'465'937'000'042)};  // 2024-11-24T16:32:17.000042Z

// A pipe whose reader is this test.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(fds_, O_CLOEXEC), 0); }
  ~Pipe() {
    close(fds_[0]);
    close(fds_[1]);
  }
  int write_end() const { return fds_[1]; }
  std::string read_all() {
    fcntl(fds_[0], F_SETFL, O_NONBLOCK);
    std::string all(1 << 20, '\0');
    size_t size = 0;
    for (ssize_t n; (n = read(fds_[0], all.data() + size, all.size() - size)) > 0;) size += static_cast<size_t>(n);
    all.resize(size);
    return all;
  }

 private:
  int fds_[2];
};

TEST(Log, ALineIsOneJsonObjectWithEcsNames) {
  Pipe pipe;
  LogSink sink(pipe.write_end());
  Logger logger(sink, "shop \"one\"");
  LogBuffer buffer(logger);
  buffer.line(LogLevel::kInfo, kWhen, "order\nplaced")
      .field("order.id", 42)
      .field("ratio", 0.5)
      .field("big", UINT64_MAX)
      .field("new", true)
      .field("who", std::string("Zoë \xff"));
  buffer.line(LogLevel::kError, kWhen + microseconds(1'000'000), "next second");
  EXPECT_EQ(sink.writes(), 0u);
  buffer.flush();
  EXPECT_EQ(sink.writes(), 1u);  // one system call for both
  EXPECT_EQ(pipe.read_all(),
            "{\"@timestamp\":\"2024-11-24T16:32:17.000042Z\",\"log.level\":\"info\",\"message\":\"order\\nplaced\","
            "\"ecs.version\":\"8.11.0\",\"service.name\":\"shop \\\"one\\\"\",\"order.id\":42,\"ratio\":0.5,"
            "\"big\":18446744073709551615,\"new\":true,\"who\":\"Zoë \xef\xbf\xbd\"}\n"
            "{\"@timestamp\":\"2024-11-24T16:32:18.000042Z\",\"log.level\":\"error\",\"message\":\"next second\","
            "\"ecs.version\":\"8.11.0\",\"service.name\":\"shop \\\"one\\\"\"}\n");
}

TEST(Log, TheLevelChangesAtRunTime) {
  Pipe pipe;
  LogSink sink(pipe.write_end());
  Logger logger(sink, "s", LogLevel::kWarn);
  EXPECT_FALSE(logger.enabled(LogLevel::kInfo));
  EXPECT_TRUE(logger.enabled(LogLevel::kError));
  logger.set_level(LogLevel::kDebug);
  EXPECT_TRUE(logger.enabled(LogLevel::kDebug));
}

TEST(Log, SecretsAreNeverShown) {
  Pipe pipe;
  LogSink sink(pipe.write_end());
  Logger logger(sink, "s");
  LogBuffer buffer(logger);
  for (const char* name :
       {"authorization", "Authorization", "http.request.header.authorization", "cookie", "Set-Cookie",
        "proxy-authorization", "X-Api-Key", "x_api_key", "DPoP", "access_token", "password", "token"})
    buffer.line(LogLevel::kInfo, kWhen, "m").field(name, "planted");
  buffer.line(LogLevel::kInfo, kWhen, "m").field("error.code", "shown").field("tokens", "shown");
  buffer.flush();
  std::string text = pipe.read_all();
  EXPECT_EQ(text.find("planted"), std::string::npos);
  EXPECT_NE(text.find("\"error.code\":\"shown\",\"tokens\":\"shown\""), std::string::npos);
}

TEST(Log, AnEndlessTextIsCutAndTheLineStaysWhole) {
  Pipe pipe;
  LogSink sink(pipe.write_end());
  Logger logger(sink, "s");
  LogBuffer buffer(logger);
  std::string nasty(100'000, '\x01');
  buffer.line(LogLevel::kInfo, kWhen, nasty).field("a", nasty).field("b", nasty).field("c", 1).field(nasty, 1);
  buffer.flush();
  std::string text = pipe.read_all();
  EXPECT_LE(text.size(), LogBuffer::kMaxLine);
  EXPECT_TRUE(text.ends_with("}\n"));
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(Log, AStalledReaderCostsLinesButNeverHolds) {
  Pipe pipe;
  LogSink sink(pipe.write_end());
  Logger logger(sink, "s");
  LogBuffer buffer(logger);
  std::string body(1000, 'x');
  for (int i = 0; i < 1000; ++i) buffer.line(LogLevel::kInfo, kWhen, "m").field("body", body).field("n", i);
  buffer.flush();
  EXPECT_GT(logger.dropped(), 500u);
  EXPECT_EQ(fcntl(pipe.write_end(), F_GETFL) & O_NONBLOCK, 0);  // what others share is as it was

  std::string text;
  for (int i = 0; i < 10; ++i) {  // the reader is back
    text += pipe.read_all();
    buffer.flush();
  }
  buffer.line(LogLevel::kInfo, kWhen, "after");
  buffer.flush();
  text += pipe.read_all();
  size_t lines = 0;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line); ++lines) {
    EXPECT_TRUE(line.starts_with("{\"@timestamp\"")) << line.substr(0, 40);  // a line that was torn is whole again
    EXPECT_TRUE(line.ends_with("}"));
  }
  EXPECT_EQ(lines + logger.dropped(), 1000u + 2);  // one more that tells how many were lost
  EXPECT_NE(text.find("\"log.dropped\":" + std::to_string(logger.dropped())), std::string::npos);
}

TEST(Log, ThreadsShareASinkWithoutMixingLines) {
  std::string path = testing::TempDir() + "duplex_log_" + std::to_string(getpid());
  {
    auto sink = LogSink::open(path);
    ASSERT_TRUE(sink.has_value());
    Logger logger(**sink, "s");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        LogBuffer buffer(logger);
        for (int i = 0; i < 500; ++i) {
          buffer.line(LogLevel::kInfo, kWhen, "m").field("n", i);
          if (i % 7 == 0) buffer.flush();
        }
      });
    for (std::thread& thread : threads) thread.join();
  }
  std::ifstream in(path);
  size_t lines = 0;
  for (std::string line; std::getline(in, line); ++lines) EXPECT_TRUE(line.starts_with("{\"@") && line.ends_with("}"));
  EXPECT_EQ(lines, 2000u);
  unlink(path.c_str());
}

TEST(Log, AFileThatCannotBeOpenedIsNamed) {
  auto sink = LogSink::open("/nowhere/at/all.log");
  EXPECT_NE(sink.error().message().find("/nowhere/at/all.log"), std::string::npos);
}

}  // namespace
}  // namespace duplex
