#include "duplex/app/client.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "app/endpoint.h"
#include "app/outbound.h"
#include "duplex/client/remote.h"
#include "duplex/client/resolver.h"

namespace duplex {
namespace {

// What a client has on one loop. Lives in a background task of that loop.
class OnLoop {
 public:
  OnLoop(Context& ctx, const Client::Settings& s)
      : own_(ctx),
        scope_(own_),
        resolver_(ctx.loop(), client::Resolver::Settings()),
        remote_(
            s.name, s.address, &resolver_, [this, &s](const Address& a) { return app::make_endpoint(scope_, s, a); },
            s.balance, &scope_) {}
  client::Remote& remote() { return remote_; }
  Notifier& closing() { return closing_; }
  // After the last call.
  Task<void> end() {
    Status why = Status::unavailable("the client is closed");
    remote_.close(why);
    own_.cancel(why);
    co_await scope_.join();
  }

 private:
  Context own_;
  Scope scope_;
  client::Resolver resolver_;
  client::Remote remote_;
  Notifier closing_;
};

}  // namespace

class Client::State final : public std::enable_shared_from_this<State> {
 public:
  explicit State(Settings s) : settings(std::move(s)), mistake(app::check_version(settings)) {}

  // The peer as this loop sees it; made at the loop's first call. Null: the loop is ending.
  client::Remote* on(Loop& loop) {
    if (client::Remote* known = known_on(loop)) return known;
    Scope* background = loop.background();
    if (!background) std::abort();  // a Loop that neither duplex::run nor a LoopThread made
    background->spawn([self = shared_from_this()](Context& ctx) { return keep(ctx, self); });
    return known_on(loop);
  }

  client::Remote* known_on(Loop& loop) {
    std::lock_guard lock(mutex);
    for (auto& [known, here] : loops)
      if (known == &loop) return &here->remote();
    return nullptr;
  }

  static Task<void> keep(Context& ctx, std::shared_ptr<State> self) {
    OnLoop here(ctx, self->settings);
    Loop& loop = ctx.loop();
    {
      std::lock_guard lock(self->mutex);
      self->loops.emplace_back(&loop, &here);
    }
    Status waited;
    while (waited.is_ok() && !self->is_closed()) waited = co_await here.closing().wait(ctx);
    {
      std::lock_guard lock(self->mutex);
      std::erase_if(self->loops, [&](auto& entry) { return entry.first == &loop; });
    }
    co_await here.end();
  }

  bool is_closed() {
    std::lock_guard lock(mutex);
    return closed;
  }

  void close() {
    std::lock_guard lock(mutex);
    closed = true;
    // An entry leaves under this lock before its loop ends, so each loop here is alive.
    for (auto& [loop, here] : loops) {
      Loop* at = loop;
      OnLoop* gone = here;
      at->post([self = shared_from_this(), at, gone] {
        std::lock_guard inner(self->mutex);
        for (auto& entry : self->loops)
          if (entry.first == at && entry.second == gone) gone->closing().notify_all();
      });
    }
  }

  const Settings settings;
  const Status mistake;  // in the settings; each call tells
  std::vector<Filter> filters;
  std::shared_ptr<Service> chain;
  std::once_flag chained;
  std::mutex mutex;
  bool closed = false;
  std::vector<std::pair<Loop*, OnLoop*>> loops;
};

namespace {

// The innermost end of the outbound chain: the peer as the calling loop sees it.
template <class S>
class Here final : public Service {
 public:
  explicit Here(S& state) : state_(state) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    if (!state_.mistake.is_ok()) return Task<Outcome>::ready(state_.mistake);
    if (client::Remote* remote = state_.on(ctx.loop())) return remote->call(ctx, c);
    return Task<Outcome>::ready(Outcome::never_sent(Status::unavailable("the loop is ending")));
  }

 private:
  S& state_;
};

}  // namespace

Client::Client(Settings settings) : state_(std::make_shared<State>(std::move(settings))) {}
Client::~Client() { state_->close(); }

Client& Client::use(Filter filter) {
  state_->filters.push_back(std::move(filter));
  return *this;
}

Task<Outcome> Client::call(Context& ctx, Call& c) {
  std::call_once(state_->chained, [this] {
    state_->chain = app::outbound_chain(std::make_shared<Here<State>>(*state_), state_->filters,
                                        {.peer = state_->settings.name, .timeout = state_->settings.timeout});
  });
  return state_->chain->call(ctx, c);
}

}  // namespace duplex
