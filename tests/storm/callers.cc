#include "callers.h"

#include <algorithm>

namespace duplex::storm {

using namespace std::chrono_literals;

namespace {

constexpr Duration kPatience = 2s;  // of a caller, for all its attempts
constexpr Duration kPerTry = 250ms;
constexpr int64_t kAttempts = 4;  // three retries

resilience::RetrySettings retry_settings() {
  resilience::RetrySettings settings;
  settings.attempts = kAttempts;
  settings.per_try = kPerTry;
  settings.idempotent = resilience::Repeat::kAlways;
  settings.on.push_back(resilience::Cause::of(Code::kResourceExhausted));
  settings.on.push_back(resilience::Cause::of(Code::kDeadlineExceeded));
  return settings;
}

}  // namespace

Duration Phase::served_at(double share) const {
  if (served.empty()) return {};
  return served[static_cast<size_t>(static_cast<double>(served.size() - 1) * share)];
}

Callers::Callers(const std::string& address, size_t count, std::shared_ptr<resilience::Budget> budget) {
  Filter noted = filter([this](Context& ctx, Call& c, Service& next) -> Task<Outcome> {
    ++attempts_.made;
    const Time began = Clock::now();
    Outcome outcome = co_await next.call(ctx, c);
    if (outcome.status.is_ok()) attempts_.served.push_back(Clock::now() - began);
    co_return outcome;
  });
  for (size_t i = 0; i < count; ++i) {
    Client::Settings settings;
    settings.name = "counter";
    settings.address = address;
    settings.pool.max_connections = 1;
    auto client = std::make_shared<Client>(settings);
    client->use(resilience::retry("counter", retry_settings(), budget)).use(noted);
    clients_.push_back(std::make_unique<talk::v1::TalkClient>(client));
  }
}

Task<void> Callers::one(Context& ctx, talk::v1::TalkClient& client, Time phase_began, Phase& phase) {
  const Time began = Clock::now();
  talk::v1::SayRequest request;
  CallOptions options(kPatience);
  Result<talk::v1::SayReply> reply = co_await client.say(ctx, request, options);
  Seen seen;
  seen.began = began - phase_began;
  seen.took = Clock::now() - began;
  seen.ok = reply.has_value();
  phase.calls.push_back(seen);
}

Task<Phase> Callers::call(Context& ctx, double rate, Duration span) {
  Phase phase;
  attempts_ = {};
  const Time began = Clock::now();
  size_t made = 0, next = 0;
  Scope scope(ctx);
  for (;;) {
    const Duration since = Clock::now() - began;
    if (since >= span) break;
    const auto due = static_cast<size_t>(std::chrono::duration<double>(since).count() * rate);
    if (made < due) {
      const auto oldest = Duration(static_cast<int64_t>(static_cast<double>(made) / rate * 1e9));
      phase.latest = std::max(phase.latest, since - oldest);
    }
    for (; made < due; ++made, ++next) {
      if (next == clients_.size()) next = 0;
      scope.spawn(
          [this, &client = *clients_[next], began, &phase](Context& c) { return one(c, client, began, phase); });
    }
    static_cast<void>(co_await sleep(ctx, 1ms));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  co_await scope.join();
  phase.offered = static_cast<double>(made) / seconds;
  phase.attempts = static_cast<double>(attempts_.made) / seconds;
  const auto good = std::count_if(phase.calls.begin(), phase.calls.end(), [](const Seen& s) { return s.ok; });
  phase.goodput = static_cast<double>(good) / seconds;
  phase.served = std::move(attempts_.served);
  std::sort(phase.served.begin(), phase.served.end());
  co_return phase;
}

}  // namespace duplex::storm
