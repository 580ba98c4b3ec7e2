// For tests: a peer on a loop with virtual time, with endpoints that do as they are told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/fake_endpoint.h"
#include "duplex/client/remote.h"
#include "duplex/resilience/event.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace duplex::client {

using namespace std::chrono_literals;
using Kind = resilience::Event::Kind;

inline const Method kUnary("/t.T/Unary", false, false), kStream("/t.T/Stream", true, true);

inline auto takes(Duration latency, Status status = {}) {
  return [latency, status](Context& ctx, Call&) -> Task<Outcome> {
    if (Status s = co_await sleep(ctx, latency); !s.is_ok()) co_return s;
    co_return Outcome(status);
  };
}
inline auto fails(Status status) {
  return [status](Context&, Call&) { return Task<Outcome>::ready(Outcome(status)); };
}
inline auto answers_http(int16_t status) {
  return [status](Context&, Call&) {
    Outcome outcome;
    outcome.http_status = status;
    return Task<Outcome>::ready(std::move(outcome));
  };
}
inline auto refuses() {
  return [](Context&, Call&) { return Task<Outcome>::ready(Outcome::never_sent(Status::unavailable("refused"))); };
}

class Heard final : public resilience::Observer {
 public:
  void on(Context&, const resilience::Event& event) override { events.emplace_back(event.kind, event.text); }
  int count(Kind kind) const {
    return static_cast<int>(std::count_if(events.begin(), events.end(), [&](auto& e) { return e.first == kind; }));
  }
  std::vector<std::pair<Kind, std::string>> events;
};

// A peer on a loop with virtual time; nodes by their address.
class Peer {
 public:
  Peer(Context& ctx, std::string address, BalanceSettings balance = {}, Resolver* resolver = nullptr)
      : own_(ctx),
        background_(own_),
        remote(
            "peer", address, resolver,
            [this](const Address& a) { return std::make_unique<FakeEndpoint>(nodes[a.to_string()]); },
            std::move(balance), &background_) {
    own_.put<resilience::Observer>(heard);
  }
  Context& ctx() { return own_; }
  Task<Outcome> call(Context& ctx, const Method& method = kUnary, Metadata metadata = {}) {
    One in{Message()};
    Drop out;
    Call c(method, std::move(metadata), in, out);
    co_return co_await remote.call(ctx, c);
  }
  Task<Outcome> call() { return call(own_); }
  Task<void> calls(int count) {
    for (int i = 0; i < count; ++i) static_cast<void>(co_await call());
  }
  Node& node(int i) { return nodes["10.0.0." + std::to_string(i) + ":80"]; }
  EndpointState state(size_t i) const { return remote.snapshot(own_.loop().now()).at(i); }
  Task<void> end() {
    remote.close(Status::unavailable("over"));
    own_.cancel(Status::unavailable("over"));
    co_await background_.join();
  }

  Heard heard;
  std::map<std::string, Node> nodes;

 private:
  Context own_;
  Scope background_;

 public:
  Remote remote;
};

inline std::string addresses(int count) {
  std::string out;
  for (int i = 1; i <= count; ++i) out += (i > 1 ? "," : "") + std::string("10.0.0.") + std::to_string(i) + ":80";
  return out;
}

template <class F>
void on_virtual_time(F f) {
  run(std::move(f), Loop::Options{.virtual_time = true});
}

inline BalanceSettings policy(BalancePolicy which) {
  BalanceSettings settings;
  settings.policy = which;
  return settings;
}

}  // namespace duplex::client
