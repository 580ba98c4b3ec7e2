// For the tests of what limits calls: a handler, a call, and who listens to events.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "duplex/resilience/event.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience::testing {

inline constexpr Loop::Options kVirtual{.virtual_time = true};

template <class F>
std::shared_ptr<Service> handler(F f) {
  class Handler final : public Service {
   public:
    explicit Handler(F body) : body_(std::move(body)) {}
    Task<Outcome> call(Context& ctx, Call& c) override { return body_(ctx, c); }

   private:
    F body_;
  };
  return std::make_shared<Handler>(std::move(f));
}

// Answers OK after `span`.
inline std::shared_ptr<Service> taking(Duration span) {
  return handler([span](Context& ctx, Call&) -> Task<Outcome> {
    Status s = co_await sleep(ctx, span);
    co_return Outcome(std::move(s));
  });
}

inline Task<Outcome> call(Context& ctx, const Method& method, Service& service, Metadata metadata = {}) {
  One in{Message()};
  Keep out;
  Call c(method, std::move(metadata), in, out);
  co_return co_await service.call(ctx, c);
}

// Remembers what was reported, from any loop.
class Heard final : public Observer {
 public:
  void on(Context&, const Event& event) override {
    std::lock_guard lock(mutex_);
    all_.push_back(std::string(event_name(event.kind)) + " " + std::string(event.peer) + " " +
                   std::string(event.method) + ": " + event.text);
  }
  std::vector<std::string> all() const {
    std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

}  // namespace duplex::resilience::testing
