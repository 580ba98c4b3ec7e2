#include "duplex/resilience/rate_limit.h"

#include <algorithm>
#include <cmath>

#include "duplex/resilience/event.h"
#include "resilience/rate_limit_keys.h"
#include "resilience/try_later.h"

namespace duplex::resilience {
namespace {
Duration seconds(double span) { return Duration(static_cast<int64_t>(std::ceil(std::min(span, 1e9) * 1e9))); }
}  // namespace

int64_t TokenBucket::left(int64_t burst) const {
  return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(burst) + kRounding - used_), 0);
}

Duration TokenBucket::until_next(double rate, int64_t burst) const {
  return seconds(std::max((used_ + 1 - static_cast<double>(burst)) / rate, 0.0));
}

Duration TokenBucket::until_full(double rate) const { return seconds(used_ / rate); }

RateLimiter::RateLimiter(const std::vector<RateLimitSettings>& rules) { set(rules); }
RateLimiter::~RateLimiter() = default;

void RateLimiter::set(const std::vector<RateLimitSettings>& rules) {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<RateLimitKeys>> before = std::move(keys_);
  keys_.clear();
  for (const RateLimitSettings& rule : rules) {
    // The first of that key that no other rule has taken yet.
    auto same = std::find_if(before.begin(), before.end(), [&](auto& k) { return k && k->rule().key == rule.key; });
    if (same == before.end()) {
      keys_.push_back(std::make_shared<RateLimitKeys>(rule));
    } else {
      (*same)->set(rule);
      keys_.push_back(std::move(*same));
    }
  }
}

std::vector<RateLimiter::Snapshot> RateLimiter::snapshot() const {
  std::vector<Snapshot> all;
  for (const auto& keys : this->keys()) {
    Snapshot s;
    s.rule = keys->rule();
    s.keys = keys->size();
    s.refused = keys->refused();
    all.push_back(std::move(s));
  }
  return all;
}

std::vector<std::shared_ptr<RateLimitKeys>> RateLimiter::keys() const {
  std::lock_guard lock(mutex_);
  return keys_;
}

namespace {

// What stands in the fields, by rule: "x-tenant";q=200;w=2. A bucket is told as the window in which it fills.
struct Told {
  std::string name, policy;
};

std::string name_of(const RateLimitSettings& rule) {
  if (rule.key.empty()) return "all";
  return rule.key.substr(rule.key.find(':') + 1);
}

std::vector<Told> told_of(const std::vector<RateLimitSettings>& rules) {
  std::vector<Told> all;
  for (const RateLimitSettings& rule : rules) {
    Told told;
    const std::string name = name_of(rule);
    told.name = name;
    auto is_taken = [&](const Told& other) { return other.name == told.name; };
    for (int n = 2; std::any_of(all.begin(), all.end(), is_taken); ++n) told.name = name + "-" + std::to_string(n);
    const double window = std::max(std::ceil(static_cast<double>(rule.burst) / rule.rate - 1e-9), 1.0);
    const double quota = std::max(std::floor(rule.rate * window + 1e-6), 1.0);
    told.policy = "\"" + told.name + "\";q=" + std::to_string(static_cast<int64_t>(quota)) +
                  ";w=" + std::to_string(static_cast<int64_t>(window));
    all.push_back(std::move(told));
  }
  return all;
}

// Adds fields to the head of an answer, whoever writes it.
class Headed final : public Sink {
 public:
  Headed(Sink& out, const Metadata& fields) : out_(out), fields_(fields) {}
  Task<Status> head(Context& ctx, Metadata metadata) override {
    told_ = true;
    for (Metadata::Entry e : fields_) metadata.add(e.name, e.value);
    return out_.head(ctx, std::move(metadata));
  }
  Task<Status> write(Context& ctx, Message message) override {
    return told_ ? out_.write(ctx, std::move(message)) : head_and_write(ctx, std::move(message));
  }
  Task<Status> interim(Context& ctx, Metadata metadata) override { return out_.interim(ctx, std::move(metadata)); }
  bool told() const { return told_; }

 private:
  Task<Status> head_and_write(Context& ctx, Message message) {
    if (Status s = co_await head(ctx, Metadata()); !s.is_ok()) co_return s;
    co_return co_await out_.write(ctx, std::move(message));
  }
  Sink& out_;
  const Metadata& fields_;
  bool told_ = false;
};

class RateLimited final : public Service {
 public:
  RateLimited(const std::vector<RateLimitSettings>& rules, std::vector<std::shared_ptr<RateLimitKeys>> keys,
              std::shared_ptr<Service> next)
      : rules_(rules), told_(told_of(rules)), keys_(std::move(keys)), next_(std::move(next)) {
    for (const RateLimitSettings& rule : rules_)
      if (mistake_.is_ok()) mistake_ = check_rate_limit_key(rule.key);
    for (const Told& told : told_) policies_ += (policies_.empty() ? "" : ", ") + told.policy;
  }

  Task<Outcome> call(Context& ctx, Call& c) override {
    if (!mistake_.is_ok())
      return Task<Outcome>::ready(Outcome(Status::internal("server.rate_limit: " + mistake_.message())));
    const Peer* peer = ctx.find<Peer>();
    const bool tells = peer && (peer->protocol == "rest" || peer->protocol == "http");
    std::string limits, buffer;
    for (size_t i = 0; i < keys_.size(); ++i) {
      const RateLimitKeys::Taken taken = keys_[i]->take(keys_[i]->key_of(ctx, c, buffer), ctx.loop().now());
      if (tells) add_limit(limits, i, taken.bucket);
      if (!taken.passes) return Task<Outcome>::ready(refuse(ctx, c, i, taken.bucket, limits));
    }
    return tells ? tell(ctx, c, fields(limits)) : next_->call(ctx, c);
  }

 private:
  void add_limit(std::string& limits, size_t rule, const TokenBucket& bucket) const {
    if (!limits.empty()) limits += ", ";
    limits += "\"" + told_[rule].name + "\";r=" + std::to_string(bucket.left(rules_[rule].burst)) +
              ";t=" + std::to_string(whole_seconds(bucket.until_full(rules_[rule].rate)));
  }
  Metadata fields(const std::string& limits) const {
    Metadata all;
    all.add("ratelimit-policy", policies_);
    all.add("ratelimit", limits);
    return all;
  }

  Outcome refuse(Context& ctx, Call& c, size_t rule, const TokenBucket& empty, const std::string& limits) const {
    const Duration wait = empty.until_next(rules_[rule].rate, rules_[rule].burst);
    std::string buffer;
    for (size_t i = 0; i < rule; ++i) keys_[i]->give_back(keys_[i]->key_of(ctx, c, buffer));
    char rate[40];
    std::snprintf(rate, sizeof rate, "%.6g", rules_[rule].rate);
    std::string text = "rate limit \"" + told_[rule].name + "\": more than " + rate + " calls a second, after " +
                       std::to_string(rules_[rule].burst) + " at once; ask again in " + show_duration(wait);
    report(ctx, Event(Event::Kind::kRateLimited, "", c.method->name, text));
    Outcome outcome = try_later(std::move(text), wait);
    if (!limits.empty())
      for (Metadata::Entry e : fields(limits)) outcome.trailers.add(e.name, e.value);
    return outcome;
  }

  Task<Outcome> tell(Context& ctx, Call& c, Metadata fields) {
    Headed out(*c.out, fields);
    Call with_fields(*c.method, c.metadata, *c.in, out);
    Outcome outcome = co_await next_->call(ctx, with_fields);
    if (!out.told())  // the head is made of these
      for (Metadata::Entry e : fields) outcome.trailers.add(e.name, e.value);
    co_return outcome;
  }

  const std::vector<RateLimitSettings> rules_;
  const std::vector<Told> told_;
  const std::vector<std::shared_ptr<RateLimitKeys>> keys_;
  const std::shared_ptr<Service> next_;
  Status mistake_;
  std::string policies_;
};

}  // namespace

Filter rate_limit(std::vector<RateLimitSettings> rules, std::shared_ptr<RateLimiter> memory) {
  memory->set(rules);
  return [rules = std::move(rules), keys = memory->keys()](std::shared_ptr<Service> next) {
    return std::make_shared<RateLimited>(rules, keys, std::move(next));
  };
}

}  // namespace duplex::resilience
