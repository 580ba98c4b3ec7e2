#include "duplex/app/client.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "app/client_on_loop.h"
#include "app/fit.h"
#include "app/method_policies.h"
#include "app/outbound.h"
#include "app/peer_directory.h"
#include "app/tls.h"
#include "duplex/runtime/channel.h"

namespace duplex {
namespace {

// How often a client that has moved looks whether the last call on its old connections has ended.
constexpr Duration kDrainLook = std::chrono::milliseconds(10);

using app::known_here, app::Known, app::OnLoop, app::SharedSettings;

bool same_connections(const Client::Settings& a, const Client::Settings& b) {
  return a.address == b.address && a.balance == b.balance && a.protocol == b.protocol &&
         a.http_version == b.http_version && a.max_message == b.max_message && a.authority == b.authority &&
         a.gzip == b.gzip && a.tls == b.tls && a.pool.tls == b.pool.tls &&
         a.pool.connect_timeout == b.pool.connect_timeout && a.pool.max_connections == b.pool.max_connections &&
         a.pool.max_waiting == b.pool.max_waiting && a.pool.backoff_base == b.pool.backoff_base &&
         a.pool.backoff_cap == b.pool.backoff_cap;
}

}  // namespace

class Client::State final : public app::PeerDirectory::Peer, public std::enable_shared_from_this<State> {
 public:
  explicit State(Settings s) : mistake_(check(s)) {
    if (mistake_.is_ok()) mistake_ = app::prepare_tls(s, nullptr);
    settings_ = std::make_shared<const Settings>(std::move(s));
  }

  app::OutboundParts parts;  // before the first call

  // The peer as this loop sees it, its chain up to date; made at the loop's first call. Null: the loop is ending.
  OnLoop* on(Context& ctx) {
    OnLoop* here = known_on(ctx.loop());
    if (here && here->version == version_.load(std::memory_order_acquire)) return here;
    return refreshed(ctx, here);
  }

  Task<app::PeerReport> report(Context& ctx) override {
    auto asked = std::make_shared<Asked>();
    app::PeerReport report;
    {
      std::lock_guard lock(mutex_);
      report.name = settings_->name;
      report.address = settings_->address;
      if (settings_->limit) report.limit = memory_.bulkhead->snapshot();
      asked->open = loops_.size();
      for (auto& [loop, here] : loops_) {
        Loop* at = loop;
        OnLoop* one = here;
        at->post([self = shared_from_this(), asked, at, one] { self->answer(*asked, *at, *one); });
      }
    }
    report.breakers = memory_.breakers->snapshot(ctx.loop().now());
    report.retries_left = memory_.budget->left(ctx.loop().now());
    Status s;
    for (uint64_t seen = asked->changed.version(); s.is_ok(); seen = asked->changed.version()) {
      {
        std::lock_guard lock(asked->mutex);
        report.endpoints = asked->endpoints;
        if (asked->open == 0) break;
      }
      s = co_await asked->changed.changed(ctx, seen);
    }
    co_return report;
  }

  Status accepts(const Settings& s) const {
    std::lock_guard lock(mutex_);
    return judge(s);
  }

  Status reconfigure(Settings s) {
    std::lock_guard lock(mutex_);
    if (Status mistake = judge(s); !mistake.is_ok()) return mistake;
    s.name = settings_->name;
    if (Status mistake = app::prepare_tls(s, settings_.get()); !mistake.is_ok()) return mistake;
    settings_ = std::make_shared<const Settings>(std::move(s));
    mistake_ = Status();
    renew_chain();
    return {};
  }

  void bind(const contract::ServiceDescription& description) {
    if (!description.service()) return;  // calls tell why
    std::lock_guard lock(mutex_);
    for (const contract::Service* known : services_)
      if (known->name() == description.name()) return;
    contracts_.push_back(description.contract());
    services_.push_back(description.service());
    Status found = judge(*settings_);
    if (found.to_string() == mistake_.to_string()) return;
    mistake_ = std::move(found);
    renew_chain();
  }

  Status mistake() const {
    std::lock_guard lock(mutex_);
    return mistake_;
  }

  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    // An entry leaves under this lock before its loop ends, so each loop here is alive.
    for (auto& [loop, here] : loops_) {
      Loop* at = loop;
      OnLoop* gone = here;
      at->post([self = shared_from_this(), at, gone] {
        std::lock_guard inner(self->mutex_);
        for (auto& entry : self->loops_)
          if (entry.first == at && entry.second == gone) gone->closing().notify_all();
      });
    }
  }

 private:
  // What a page has asked the loops for.
  struct Asked {
    std::mutex mutex;
    size_t open = 0;  // loops that have not answered
    std::vector<client::EndpointState> endpoints;
    Signal changed;
  };

  // On that loop.
  void answer(Asked& asked, Loop& loop, OnLoop& one) {
    std::vector<client::EndpointState> mine;
    bool there = false;
    {
      std::lock_guard lock(mutex_);
      for (auto& entry : loops_) there |= entry.first == &loop && entry.second == &one;
    }
    if (there) mine = one.remote().snapshot(loop.now());
    {
      std::lock_guard lock(asked.mutex);
      --asked.open;
      for (client::EndpointState& e : mine) add(asked.endpoints, std::move(e));
    }
    asked.changed.notify();
  }

  static void add(std::vector<client::EndpointState>& all, client::EndpointState one) {
    for (client::EndpointState& known : all) {
      if (known.address != one.address) continue;
      known.in_flight += one.in_flight;
      known.calls += one.calls;
      known.failures += one.failures;
      known.reachable &= one.reachable;
      known.healthy &= one.healthy;
      known.ejected_for = std::max(known.ejected_for, one.ejected_for);
      known.latency = std::max(known.latency, one.latency);
      return;
    }
    all.push_back(std::move(one));
  }

  // The innermost end of the chain: the peer as the calling loop sees it.
  class Here final : public Service {
   public:
    explicit Here(State& state) : state_(state) {}
    Task<Outcome> call(Context& ctx, Call& c) override {
      if (OnLoop* here = state_.on(ctx)) return here->remote().call(ctx, c);
      return Task<Outcome>::ready(Outcome::never_sent(Status::unavailable("the loop is ending")));
    }

   private:
    State& state_;
  };
  // What answers while the settings have a mistake.
  class Mistaken final : public Service {
   public:
    explicit Mistaken(Status why) : why_(std::move(why)) {}
    Task<Outcome> call(Context&, Call&) override { return Task<Outcome>::ready(why_); }

   private:
    const Status why_;
  };

  OnLoop* known_on(const Loop& loop) const {
    for (const Known& known : known_here)
      if (known.client == this && known.loop == &loop) return known.here;
    return nullptr;
  }

  // These three with the lock held.
  Status judge(const Settings& s) const {
    if (Status mistake = check(s); !mistake.is_ok()) return mistake;
    return app::check_fit(s, services_);
  }
  void renew_chain() {
    if (chain_) chain_ = make_chain();
    version_.fetch_add(1, std::memory_order_release);
  }
  std::shared_ptr<Service> make_chain() {
    std::shared_ptr<Service> peer = std::make_shared<Here>(*this);
    if (!mistake_.is_ok()) peer = std::make_shared<Mistaken>(mistake_);
    return app::outbound_chain(std::move(peer), *settings_, parts, memory_);
  }

  OnLoop* refreshed(Context& caller, OnLoop* here) {
    Loop& loop = caller.loop();
    if (auto* directory = caller.find<app::PeerDirectory>()) directory->add(shared_from_this());
    SharedSettings settings;
    uint64_t version;
    std::shared_ptr<Service> chain;
    {
      std::lock_guard lock(mutex_);
      if (!chain_) chain_ = make_chain();
      settings = settings_;
      version = version_.load(std::memory_order_relaxed);
      chain = chain_;
    }
    if (here && !same_connections(here->settings(), *settings)) {
      forget(loop, *here);
      here->retire();
      here = nullptr;
    }
    if (!here) {
      Scope* background = loop.background();
      if (!background) std::abort();  // a Loop that neither duplex::run nor a LoopThread made
      background->spawn([self = shared_from_this()](Context& ctx, SharedSettings s) { return keep(ctx, self, s); },
                        settings);
      here = known_on(loop);
      if (!here) return nullptr;
    }
    here->chain = std::move(chain);
    here->version = version;
    return here;
  }

  static Task<void> keep(Context& ctx, std::shared_ptr<State> self, SharedSettings settings) {
    OnLoop here(ctx, std::move(settings));
    Loop& loop = ctx.loop();
    {
      std::lock_guard lock(self->mutex_);
      self->loops_.emplace_back(&loop, &here);
    }
    known_here.push_back({self.get(), &loop, &here});
    Status waited;
    while (waited.is_ok() && !self->is_closed() && !here.retired()) waited = co_await here.closing().wait(ctx);
    self->forget(loop, here);
    {
      std::lock_guard lock(self->mutex_);
      std::erase_if(self->loops_, [&](auto& entry) { return entry.second == &here; });
    }
    while (waited.is_ok() && here.retired() && !self->is_closed() && here.remote().in_flight() > 0)
      waited = co_await sleep(ctx, kDrainLook);
    co_await here.end();
  }

  void forget(const Loop& loop, const OnLoop& here) const {
    std::erase_if(known_here, [&](const Known& k) { return k.client == this && k.loop == &loop && k.here == &here; });
  }

  bool is_closed() {
    std::lock_guard lock(mutex_);
    return closed_;
  }

  mutable std::mutex mutex_;
  SharedSettings settings_;
  Status mistake_;  // in the settings that the client was made with; each call tells
  // What it is called by, as far as typed clients have told; each service once.
  std::vector<std::shared_ptr<const contract::Contract>> contracts_;
  std::vector<const contract::Service*> services_;
  std::shared_ptr<Service> chain_;
  std::atomic<uint64_t> version_{1};
  app::PeerMemory memory_;
  bool closed_ = false;
  std::vector<std::pair<Loop*, OnLoop*>> loops_;
};

namespace {
// A reload may replace the client's chain while the call runs in it.
Task<Outcome> call_through(std::shared_ptr<Service> chain, Context& ctx, Call& c) {
  co_return co_await chain->call(ctx, c);
}
}  // namespace

Status Client::check(const Settings& settings) {
  if (settings.tls) {
    Settings read = settings;
    if (Status s = app::prepare_tls(read, nullptr); !s.is_ok()) return s;
  }
  if (Status s = app::check_version(settings); !s.is_ok()) return s;
  if (Status s = app::check_verbs(settings); !s.is_ok()) return s;
  if (Status s = client::check(settings.name, settings.balance); !s.is_ok()) return s;
  auto both = [&](const resilience::Policy& policy, const std::string& where) -> Status {
    if (!policy.retry || !policy.hedge) return {};
    return Status::failed_precondition(settings.name + where +
                                       ": retry and hedge exclude each other; switch one `off`");
  };
  if (Status s = both(settings.policy, ""); !s.is_ok()) return s;
  for (const auto& [method, policy] : settings.methods)
    if (Status s = both(policy, ".methods." + method); !s.is_ok()) return s;
  return app::check_service_config(settings);
}

Client::Client(Settings settings) : state_(std::make_shared<State>(std::move(settings))) {}
Client::~Client() { state_->close(); }

Client& Client::use(Filter filter) {
  state_->parts.filters.push_back(std::move(filter));
  return *this;
}

Client& Client::fallback(std::string method, std::shared_ptr<Service> handler) {
  state_->parts.fallbacks[std::move(method)] = std::move(handler);
  return *this;
}

Client& Client::peers(std::function<std::shared_ptr<Service>(const std::string& name)> find) {
  state_->parts.peers = std::move(find);
  return *this;
}

void Client::bind(const contract::ServiceDescription& description) { state_->bind(description); }
Status Client::mistake() const { return state_->mistake(); }
Status Client::accepts(const Settings& settings) const { return state_->accepts(settings); }
Status Client::reconfigure(Settings settings) { return state_->reconfigure(std::move(settings)); }

Task<Outcome> Client::call(Context& ctx, Call& c) {
  if (OnLoop* here = state_->on(ctx)) return call_through(here->chain, ctx, c);
  return Task<Outcome>::ready(Outcome::never_sent(Status::unavailable("the loop is ending")));
}

}  // namespace duplex
