#include "app/policy_events.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "duplex/base/log.h"
#include "duplex/runtime/run.h"
#include "duplex/telemetry/telemetry.h"

namespace duplex::app {
namespace {

using namespace std::chrono_literals;
using Kind = resilience::Event::Kind;

class LogFile {
 public:
  LogFile() {
    char name[] = "/tmp/duplex_policy_events_XXXXXX";
    fd_ = ::mkstemp(name);
    ::unlink(name);
  }
  ~LogFile() { ::close(fd_); }
  int fd() const { return fd_; }
  // The lines that have this part.
  std::vector<std::string> lines(const std::string& part) const {
    std::string all(1 << 20, '\0');
    all.resize(static_cast<size_t>(std::max<ssize_t>(::pread(fd_, all.data(), all.size(), 0), 0)));
    std::vector<std::string> found;
    for (size_t from = 0, end; (end = all.find('\n', from)) != all.npos; from = end + 1)
      if (std::string line = all.substr(from, end - from); line.find(part) != line.npos) found.push_back(line);
    return found;
  }

 private:
  int fd_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST(PolicyEvents, AFloodOfRefusalsIsALineASecondThatCountsThem) {
  LogFile file;
  LogSink sink(file.fd());
  Logger logger(sink, "shop");
  Registry registry;
  Telemetry telemetry(registry, logger, Telemetry::Options());
  PolicyEvents events(registry);
  run(
      [&](Context& root) -> Task<void> {
        Context ctx(root);
        telemetry.attach(ctx);
        ctx.put(telemetry);
        for (int i = 0; i < 2500; ++i) {
          events.on(ctx, resilience::Event(Kind::kShed, "", "/shop.v1.Orders/Get", "too many"));
          events.on(ctx, resilience::Event(Kind::kRateLimited, "", "/shop.v1.Orders/Get", "too often"));
          if (i % 5 == 0) events.on(ctx, resilience::Event(Kind::kShed, "", "/shop.v1.Orders/List", "too many"));
          static_cast<void>(co_await sleep(ctx, 1ms));
        }
      },
      Loop::Options{.virtual_time = true});
  const std::vector<std::string> shed = file.lines("\"calls are shed\"");
  const std::vector<std::string> limited = file.lines("\"callers ask too often\"");
  ASSERT_EQ(shed.size(), 6u);  // of each method three, in two seconds and a half
  EXPECT_EQ(limited.size(), 3u);
  EXPECT_TRUE(has(shed[0], "\"log.level\":\"warn\"")) << shed[0];
  EXPECT_TRUE(has(shed[0], "\"rpc.method\":\"shop.v1.Orders/Get\",\"duplex.calls\":1,\"event.reason\":\"too many\""))
      << shed[0];
  EXPECT_TRUE(has(shed[2], "\"rpc.method\":\"shop.v1.Orders/Get\",\"duplex.calls\":1000,")) << shed[2];
  EXPECT_TRUE(has(shed[3], "\"rpc.method\":\"shop.v1.Orders/List\",\"duplex.calls\":200,")) << shed[3];
  const std::string metrics = registry.render();
  EXPECT_TRUE(has(metrics, "{event=\"shed\",peer=\"\",rpc_method=\"shop.v1.Orders/Get\"} 2500\n")) << metrics;
  EXPECT_TRUE(has(metrics, "{event=\"rate_limited\",peer=\"\",rpc_method=\"shop.v1.Orders/Get\"} 2500\n"));
}

}  // namespace
}  // namespace duplex::app
