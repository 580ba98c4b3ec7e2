// What the tests of the core share: a Service out of a lambda, messages of text, and waiting for what will hold.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "duplex/runtime/run.h"
#include "duplex/service/service.h"

namespace duplex {

using namespace std::chrono_literals;

constexpr Loop::Options kVirtual{.virtual_time = true};

using Body = std::function<Task<Outcome>(Context&, Call&)>;
class Handler final : public Service {
 public:
  explicit Handler(Body body) : body_(std::move(body)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return body_(ctx, c); }

 private:
  Body body_;
};
inline std::shared_ptr<Service> handler(Body body) { return std::make_shared<Handler>(std::move(body)); }

inline Message text(std::string_view s) { return Message(Bytes::copy(s)); }

template <class F>
bool soon(F done) {
  for (Time end = Clock::now() + 20s; !done();) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace duplex
