// Fallback: an answer in the peer's place when it has none.
//
// It stands outside the timeout, the retries and the breaker, so it runs when those have given up, and inside the
// caller's deadline, of which a slice is kept for it. It answers calls whose reply is one message. What it gives is
// marked in the reply's head: `x-duplex-fallback: last_good`, `method`, `peer`, `reply` or `handler`; an old answer
// says its `age` in seconds (RFC 9111 section 5.1). It never hides that a caller may not do something (401, 403), nor
// runs for a caller that has left; and if it fails itself, the caller sees the peer's own error.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "duplex/config/table.h"
#include "duplex/resilience/cause.h"
#include "duplex/service/service.h"

namespace duplex::resilience {

struct LastGoodSettings {
  Duration max_age = std::chrono::seconds(60);
  int64_t entries = 1000;        // requests that an answer is kept for; the one used longest ago goes first
  uint64_t max_size = 64 << 20;  // octets of requests and answers together
};

struct FallbackSettings {
  std::optional<LastGoodSettings> last_good;  // the last good reply to the same request of the same caller
  std::string method;  // another method of the peer with the same messages: "shop.v1.Prices/ListPrice"
  std::string peer;    // another peer, asked for the same
  std::string reply;   // the method's reply message, as JSON or in text format; the last resort
  std::vector<Cause> on{Cause::of(Code::kUnavailable), Cause::of(Code::kDeadlineExceeded), Cause{Cause::Kind::kOpen, 0},
                        Cause{Cause::Kind::kLimit, 0}};
  Duration reserve = std::chrono::milliseconds(50);  // of the caller's deadline, at most half of what is left
};
config::Table<FallbackSettings> fallback_table();

// Answers by request, the one used longest ago makes room. A request is its method, its message and who asks (the
// fields `authorization` and `cookie`): one caller's answer is never another's. From any thread.
class LastGood {
 public:
  class Answer {
   public:
    Answer(Metadata h, Message m, Time w) : head(std::move(h)), message(std::move(m)), when(w) {}
    Metadata head;
    Message message;
    Time when;
  };
  static std::string key(const Call& call, const Message& request);

  void set(const LastGoodSettings& settings);  // after a reload: what is there and fits stays
  void put(std::string key, Answer answer);
  // Not older than max_age.
  std::optional<Answer> find(const std::string& key, Time now);
  size_t size() const;

 private:
  struct Entry {
    std::string key;
    Answer answer;
  };
  void drop_last();
  mutable std::mutex mutex_;
  LastGoodSettings settings_;
  std::list<Entry> entries_;  // the one used last first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  uint64_t octets_ = 0;
};

// What a fallback may ask, besides the peer itself. Each may be null.
struct FallbackParts {
  std::shared_ptr<Service> handler;  // the user's own; asked first
  std::shared_ptr<LastGood> last_good;
  std::function<std::shared_ptr<Service>(const std::string& name)> peer;  // null: there is no such peer
};
Filter fallback(std::string peer, FallbackSettings settings, FallbackParts parts);

// The message that a `reply` is to the callers of a method. INVALID_ARGUMENT: it is none of its replies, and why.
Result<Message> static_reply(std::string_view reply, const contract::Method& method);
// The method of the same contract that may answer for `method`. NOT_FOUND: there is none of that name;
// INVALID_ARGUMENT: its messages are others.
Result<const contract::Method*> stand_in(const std::string& name, const contract::Method& method);

}  // namespace duplex::resilience
