// What a client has on one loop: its endpoints and their connections, and the chain that calls take to them.
#pragma once

#include <memory>
#include <vector>

#include "app/endpoint.h"
#include "duplex/app/client.h"
#include "duplex/client/remote.h"
#include "duplex/client/resolver.h"
#include "duplex/runtime/scope.h"

namespace duplex::app {

using SharedSettings = std::shared_ptr<const Client::Settings>;

// Lives in a background task of that loop.
class OnLoop {
 public:
  OnLoop(Context& ctx, SharedSettings settings)
      : settings_(std::move(settings)),
        own_(ctx),
        scope_(own_),
        resolver_(ctx.loop(), client::Resolver::Settings()),
        remote_(
            settings_->name, settings_->address, &resolver_,
            [this](const Address& a) { return make_endpoint(scope_, *settings_, a); }, settings_->balance, &scope_) {}

  client::Remote& remote() { return remote_; }
  const Client::Settings& settings() const { return *settings_; }
  Notifier& closing() { return closing_; }
  bool retired() const { return retired_; }
  // Takes no more calls; ends with its last one.
  void retire() {
    retired_ = true;
    closing_.notify_all();
  }
  // After the last call.
  Task<void> end() {
    Status why = Status::unavailable("the client is closed");
    remote_.close(why);
    own_.cancel(why);
    co_await scope_.join();
  }

  std::shared_ptr<Service> chain;
  uint64_t version = 0;  // of the settings that `chain` was made of; 0: none yet

 private:
  const SharedSettings settings_;
  Context own_;
  Scope scope_;
  client::Resolver resolver_;
  client::Remote remote_;
  Notifier closing_;
  bool retired_ = false;
};

// The clients of this thread's loop, for a look without a lock.
struct Known {
  const void* client;
  const Loop* loop;
  OnLoop* here;
};
inline thread_local std::vector<Known> known_here;

}  // namespace duplex::app
