// What a client of talk.proto's interop servers asks besides the contract: the counts in the trailers of each reply.
#pragma once

#include <charconv>
#include <functional>

#include "duplex/runtime/run.h"
#include "talk_service.h"

namespace talk::v1 {

inline SayRequest say_request(std::string name) {
  SayRequest request;
  request.set_name(std::move(name));
  return request;
}

inline Number number(int64_t value, size_t padding = 0) {
  Number n;
  n.set_value(value);
  n.set_padding(std::string(padding, 'x'));
  return n;
}

// One of the server's counts ("x-running"), from a unary call of its own; -1: the call failed.
inline duplex::Task<int64_t> peer_count(duplex::Context& ctx, TalkClient& client, std::string_view name) {
  duplex::Reply reply;
  duplex::CallOptions options;
  options.reply = &reply;
  const SayRequest request = say_request("count");
  duplex::Result<SayReply> answer = co_await client.say(ctx, request, options);
  if (!answer) {
    std::fprintf(stderr, "asking for %.*s: %s\n", static_cast<int>(name.size()), name.data(),
                 answer.error().to_string().c_str());
    co_return -1;
  }
  int64_t value = -1;
  auto text = reply.trailers.find(name);
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  co_return value;
}

// Asks until the count is at least that much. False: the server stopped answering, or ctx
// ended first.
inline duplex::Task<bool> peer_count_reaches(duplex::Context& ctx, TalkClient& client, std::string_view name,
                                             int64_t least) {
  for (;;) {
    int64_t value = co_await peer_count(ctx, client, name);
    if (value < 0) co_return false;
    if (value >= least) co_return true;
  }
}

// Counts what does not hold, and says it.
class Checks {
 public:
  void expect(bool holds, const std::string& what) {
    if (holds) return;
    ++failed_;
    std::fprintf(stderr, "FAILED: %s: %s\n", name_.c_str(), what.c_str());
  }
  void expect_ok(const duplex::Status& status, const std::string& what) {
    expect(status.is_ok(), what + ": " + status.to_string());
  }
  void expect_code(const duplex::Status& status, duplex::Code code) {
    expect(status.code() == code, "expected " + std::string(duplex::code_name(code)) + ", came " + status.to_string());
  }

  using Check = std::function<duplex::Task<void>(duplex::Context&)>;
  // One check, in at most a minute.
  duplex::Task<void> run(duplex::Context& ctx, std::string name, const Check& check) {
    name_ = std::move(name);
    const int before = failed_;
    duplex::Context bounded(ctx, std::chrono::seconds(60));
    co_await check(bounded);
    std::printf("%s %s\n", failed_ == before ? "ok    " : "failed", name_.c_str());
    std::fflush(stdout);
  }
  int failed() const { return failed_; }

 private:
  std::string name_;
  int failed_ = 0;
};

}  // namespace talk::v1
