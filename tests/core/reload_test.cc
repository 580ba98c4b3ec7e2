// Settings that change while calls run.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "duplex/app/application.h"
#include "duplex/runtime/run.h"
#include "talk_service.h"

namespace duplex {
namespace {

using namespace std::chrono_literals;
using talk::v1::Pair;
using talk::v1::SayReply;
using talk::v1::SayRequest;
using talk::v1::TalkClient;

// A configuration file of the test's own.
class File {
 public:
  explicit File(const char* kind = ".yaml")
      : path_(testing::TempDir() + "duplex-reload-" + std::to_string(::getpid()) + kind) {}
  ~File() { ::unlink(path_.c_str()); }
  void write(const std::string& text) const {
    std::ofstream(path_ + ".new") << text;
    ASSERT_EQ(::rename((path_ + ".new").c_str(), path_.c_str()), 0);
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

std::string peer_at(const std::string& address, const std::string& more = "") {
  return "log: {file: /dev/null}\nserver: {listen: [\"127.0.0.1:0\"]}\npeers: {talk: {address: \"" + address + "\"" +
         more + "}}\n";
}

Application::Options no_environment() {
  Application::Options options;
  options.environment.clear();
  return options;
}

size_t resident_kib() {
  std::ifstream file("/proc/self/statm");
  size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

TEST(Reload, APeerMovesWhileACallRuns) {
  Pair first, second;
  File file;
  file.write(peer_at(first.server.addresses()[0]));
  auto app = Application::load(file.path(), no_environment());
  ASSERT_TRUE(app) << app.error().to_string();
  TalkClient talk(*(*app)->peer("talk"));
  run([&](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    Result<SayReply> slow = Status::unknown("not ended");
    scope.spawn([&](Context& child) -> Task<void> {
      SayRequest request;
      request.set_wait_ms(200);
      slow = co_await talk.say(child, request);
    });
    Status s;
    while (s.is_ok() && first.service->running == 0) s = co_await sleep(ctx, 1ms);
    file.write(peer_at(second.server.addresses()[0], ", max_message: 1MiB"));
    EXPECT_TRUE((*app)->reload().is_ok());
    SayRequest request;
    request.set_wait_ms(50);
    Result<SayReply> moved = Status::unknown("not ended");
    scope.spawn([&](Context& child) -> Task<void> { moved = co_await talk.say(child, request); });
    while (s.is_ok() && second.service->running == 0) s = co_await sleep(ctx, 1ms);  // it is there, not where it was
    co_await scope.join();
    EXPECT_TRUE(moved) << moved.error().to_string();
    EXPECT_TRUE(slow) << slow.error().to_string();
  });
  EXPECT_EQ((*app)->configuration()->peers.at("talk").max_message, 1u << 20);
}

TEST(Reload, APolicyCountsFromTheNextCallOn) {
  Pair pair;
  File file;
  file.write(peer_at(pair.server.addresses()[0]));
  auto app = Application::load(file.path(), no_environment());
  ASSERT_TRUE(app) << app.error().to_string();
  TalkClient talk(*(*app)->peer("talk"));
  run([&](Context& ctx) -> Task<void> {
    SayRequest request;
    Result<SayReply> before = co_await talk.say(ctx, request);
    EXPECT_TRUE(before && before->left_ms() > 14'000) << before.error().to_string();
    file.write(peer_at(pair.server.addresses()[0], ", timeout: 5s, methods: {talk.v1.Talk/Add: {timeout: 1s}}"));
    EXPECT_TRUE((*app)->reload().is_ok());
    Result<SayReply> after = co_await talk.say(ctx, request);
    EXPECT_TRUE(after && after->left_ms() > 1'000 && after->left_ms() <= 5'000) << after.error().to_string();
    file.write(peer_at(pair.server.addresses()[0], ", timeout: 5s, methods: {talk.v1.Talk/Say: {timeout: 900ms}}"));
    EXPECT_TRUE((*app)->reload().is_ok());
    Result<SayReply> own = co_await talk.say(ctx, request);
    EXPECT_TRUE(own && own->left_ms() <= 900) << own.error().to_string();
  });
}

TEST(Reload, AWrongFileIsRefusedWhole) {
  Pair pair;
  File file;
  file.write(peer_at(pair.server.addresses()[0]));
  auto app = Application::load(file.path(), no_environment());
  ASSERT_TRUE(app) << app.error().to_string();
  TalkClient talk(*(*app)->peer("talk"));
  const std::shared_ptr<const Configuration> before = (*app)->configuration();
  const auto refused = [&](const std::string& text) {
    file.write(text);
    Status s = (*app)->reload();
    EXPECT_EQ((*app)->configuration(), before);
    EXPECT_TRUE(run([&](Context& ctx) -> Task<bool> {
      SayRequest request;
      Result<SayReply> reply = co_await talk.say(ctx, request);
      co_return reply.has_value();
    }));
    return s.message();
  };
  EXPECT_EQ(refused("peers: {talk: {address: \"127.0.0.1:1\", tiemout: 1s}}\n"),
            file.path() + ":1:40: peers.talk.tiemout: there is no such setting; did you mean \"timeout\"?");
  EXPECT_EQ(refused("peers: {other: {address: \"127.0.0.1:1\"}}\n"),
            file.path() + ": no peer 'talk' is configured; there is other");
  EXPECT_NE(refused(peer_at("127.0.0.1:1", ", retry: on, hedge: on")).find("retry and hedge exclude each other"),
            std::string::npos);
  EXPECT_EQ(refused(peer_at("127.0.0.1:1", ", fallback: {peer: nobody}")),
            file.path() + ":3:57: peers.talk.fallback.peer: there is no peer 'nobody'");
  const std::string reply =
      refused(peer_at("127.0.0.1:1", ", methods: {talk.v1.Talk/Say: {fallback: {reply: 'a: 1'}}}"));
  EXPECT_TRUE(reply.starts_with(file.path() + ":3:87: peers.talk.methods.talk.v1.Talk/Say.fallback.reply: is no reply "
                                              "of talk.v1.Talk/Say: text of talk.v1.SayReply: line 1, column 2: "))
      << reply;
  const std::string hedge = refused(peer_at("127.0.0.1:1", ", methods: {talk.v1.Talk/Say: {hedge: on}}"));
  EXPECT_TRUE(hedge.starts_with(file.path() + ":3:76: peers.talk.methods.talk.v1.Talk/Say.hedge: talk.v1.Talk/Say may "
                                              "not be called twice"))
      << hedge;
  ::unlink(file.path().c_str());
  EXPECT_EQ((*app)->reload().code(), Code::kNotFound);
}

std::string service_config(const std::string& timeout) {
  return "{\"methodConfig\": [{\"name\": [{\"service\": \"talk.v1.Talk\"}], \"timeout\": \"" + timeout + "\"}]}";
}

TEST(Reload, AServiceConfigInAFileOfItsOwnIsReadWithTheConfiguration) {
  Pair pair;
  File file, json(".json");
  json.write(service_config("9s"));
  file.write(peer_at(pair.server.addresses()[0], ", service_config: " + json.path()));
  auto app = Application::load(file.path(), no_environment());
  ASSERT_TRUE(app) << app.error().to_string();
  TalkClient talk(*(*app)->peer("talk"));
  const auto left_ms = [&] {
    return run([&](Context& ctx) -> Task<int64_t> {
      SayRequest request;
      Result<SayReply> reply = co_await talk.say(ctx, request);
      co_return reply ? reply->left_ms() : -1;
    });
  };
  EXPECT_GT(left_ms(), 5'000);
  EXPECT_LE(left_ms(), 9'000);
  json.write(service_config("5s"));
  EXPECT_TRUE((*app)->reload().is_ok());
  EXPECT_LE(left_ms(), 5'000);
  EXPECT_GT(left_ms(), 1'000);
  json.write(service_config("soon"));
  const Status wrong = (*app)->reload();
  EXPECT_TRUE(wrong.message().starts_with(file.path() + ":3:"));
  EXPECT_TRUE(wrong.message().ends_with(": peers.talk.service_config: " + json.path() +
                                        ": service config, methodConfig[0].timeout: must be a time such as \"0.1s\""))
      << wrong.message();
  EXPECT_GT(left_ms(), 1'000);
}

// It says so at once, and not when the reply is needed.
TEST(Reload, AnApplicationDoesNotStartWithAReplyThatDoesNotFitItsContract) {
  File file;
  file.write(peer_at("127.0.0.1:1", ", methods: {talk.v1.Talk/Say: {fallback: {reply: '{\"text\": []}'}}}"));
  auto app = Application::load(file.path(), no_environment());
  ASSERT_TRUE(app) << app.error().to_string();
  TalkClient talk(*(*app)->peer("talk"));
  testing::internal::CaptureStderr();
  EXPECT_EQ((*app)->run(), 1);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(told.starts_with("error: " + file.path() + ":3:87: peers.talk.methods.talk.v1.Talk/Say.fallback.reply: "))
      << told;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kReloads = 60;  // each takes fifty times as long, and memory is the sanitizer's own matter
#else
constexpr size_t kReloads = 1000;
#endif

TEST(Reload, AThousandUnderLoadFailNoCallAndKeepNoMemory) {
  Pair first, second;
  File file;
  file.write(peer_at(first.server.addresses()[0]));
  auto app = Application::load(file.path(), no_environment());
  ASSERT_TRUE(app) << app.error().to_string();
  TalkClient talk(*(*app)->peer("talk"));
  std::atomic<bool> stop{false};
  std::atomic<size_t> good{0}, bad{0};
  std::string why;
  std::vector<std::unique_ptr<LoopThread>> callers;
  std::atomic<int> running{4};
  for (int i = 0; i < 2; ++i) {
    callers.push_back(std::make_unique<LoopThread>());
    for (int j = 0; j < 2; ++j)
      callers.back()->spawn([&](Context& ctx) -> Task<void> {
        SayRequest request;
        while (!stop) {
          Result<SayReply> reply = co_await talk.say(ctx, request);
          ++(reply ? good : bad);
          if (!reply) why = reply.error().to_string();
        }
        --running;
      });
  }
  const std::string texts[] = {peer_at(first.server.addresses()[0]),
                               peer_at(first.server.addresses()[0], ", timeout: 9s"),
                               peer_at(second.server.addresses()[0], ", fallback: {last_good: on}")};
  [[maybe_unused]] size_t settled = 0;
  for (size_t i = 0; i < kReloads; ++i) {
    file.write(texts[i % 3]);
    EXPECT_TRUE((*app)->reload().is_ok());
    const size_t seen = good;
    while (good < seen + 4 && bad == 0) std::this_thread::sleep_for(100us);
    if (i == 300) settled = resident_kib();
  }
  [[maybe_unused]] const size_t at_the_end = resident_kib();
  stop = true;
  while (running > 0) std::this_thread::sleep_for(1ms);
  callers.clear();
  EXPECT_EQ(bad, 0u) << why;
  EXPECT_GT(good, 4 * kReloads);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // whose own memory grows
  EXPECT_LT(at_the_end, settled + settled / 5 + 4096) << "KiB, of " << settled << " after 300";
#endif
}

}  // namespace
}  // namespace duplex
