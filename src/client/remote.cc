#include "duplex/client/remote.h"

#include <algorithm>

#include "duplex/service/pipe.h"

namespace duplex::client {
namespace {

// Notes whether anything was taken: a stream that was begun cannot be begun again.
class Untouched final : public Source {
 public:
  explicit Untouched(Source& in) : in_(in) {}
  Task<NextResult> next(Context& ctx) override {
    touched_ = true;
    return in_.next(ctx);
  }
  const Metadata& trailers() const override { return in_.trailers(); }
  bool touched() const { return touched_; }

 private:
  Source& in_;
  bool touched_ = false;
};

struct Counted {
  size_t& n;
  explicit Counted(size_t& count) : n(count) { ++n; }
  ~Counted() { --n; }
};

}  // namespace

Remote::Remote(std::string name, std::string address, Resolver* resolver, MakeEndpoint make_endpoint)
    : name_(std::move(name)),
      address_(std::move(address)),
      resolver_(resolver),
      make_endpoint_(std::move(make_endpoint)) {}

void Remote::set_targets(const std::vector<Address>& addresses) {
  for (auto& target : targets_) target->wanted = false;
  for (const Address& address : addresses) {
    std::string key = address.to_string();
    auto known = std::find_if(targets_.begin(), targets_.end(), [&](auto& t) { return t->key == key; });
    if (known != targets_.end()) {
      (*known)->wanted = true;
      continue;
    }
    targets_.push_back(std::make_unique<Target>());
    targets_.back()->address = address;
    targets_.back()->key = std::move(key);
    targets_.back()->endpoint = make_endpoint_(address);
  }
  drop_unwanted();
}

// An endpoint that the name no longer has goes when no call can be on it.
void Remote::drop_unwanted() {
  for (auto& target : targets_) {
    if (target->wanted || target->calls > 0) continue;
    target->endpoint->close(Status::unavailable("the name has other addresses now"));
    retired_.push_back(std::move(target));
  }
  std::erase(targets_, nullptr);
  std::erase_if(retired_, [](const auto& t) { return t->endpoint->idle(); });
}

Task<Status> Remote::resolve(Context& ctx, const Address& named, std::vector<Address>& into) {
  if (!resolver_) co_return Status::internal(name_ + ": " + named.to_string() + " is a name and there is no resolver");
  Result<Resolved> found = co_await resolver_->resolve(ctx, named.host());
  if (!found) co_return Status(found.error().code(), name_ + ": " + found.error().message());
  names_.push_back(named.host());
  valid_until_ = std::min(valid_until_, found->expires);
  for (const std::string& ip : found->addresses)
    if (Result<Address> a = Address::of_ip(ip, named.port())) into.push_back(std::move(*a));
  co_return Status();
}

Task<Status> Remote::find_targets(Context& ctx) {
  if (!targets_.empty() && ctx.loop().now() < valid_until_) co_return Status();
  valid_until_ = kNever;
  names_.clear();
  std::vector<Address> addresses;
  Status failure;
  for (size_t from = 0; from <= address_.size();) {
    size_t comma = std::min(address_.find(',', from), address_.size());
    std::string_view one = std::string_view(address_).substr(from, comma - from);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    from = comma + 1;
    Result<Address> address = Address::parse(one);
    if (!address) co_return Status::invalid_argument("the address of peer " + name_ + ": " + address.error().message());
    if (address->kind() != Address::Kind::kName) {
      addresses.push_back(std::move(*address));
      continue;
    }
    if (Status s = co_await resolve(ctx, *address, addresses); !s.is_ok()) failure = s;
  }
  if (addresses.empty()) {
    valid_until_ = Time();
    if (!targets_.empty()) co_return Status();  // the last known ones are better than none
    co_return failure;
  }
  set_targets(addresses);
  co_return Status();
}

Remote::Target* Remote::pick() {
  Target* any = nullptr;
  for (size_t i = 0; i < targets_.size(); ++i) {
    Target* t = targets_[(turn_ + i) % targets_.size()].get();
    if (!t->wanted) continue;
    if (!any) any = t;
    if (t->endpoint->failing()) continue;
    turn_ = (turn_ + i + 1) % targets_.size();
    return t;
  }
  turn_ = (turn_ + 1) % std::max<size_t>(targets_.size(), 1);
  return any;
}

Task<Outcome> Remote::call(Context& ctx, Call& c) {
  Counted counted(in_flight_);
  // A single request is kept for another attempt; a stream can be tried again only while nothing of it was taken.
  std::optional<Message> request;
  if (!c.method->caller_streams) {
    NextResult m = co_await c.in->next(ctx);
    if (!m) co_return Outcome::never_sent(m.error());
    request = std::move(*m);
  }
  for (size_t attempt = 0;; ++attempt) {
    if (Status s = co_await find_targets(ctx); !s.is_ok()) co_return Outcome::never_sent(s);
    Target* target = pick();
    Counted on_target(target->calls);
    Outcome outcome;
    bool touched = false;
    if (request) {
      One in(*request);
      Call again(*c.method, c.metadata, in, *c.out);
      outcome = co_await target->endpoint->service().call(ctx, again);
    } else {
      Untouched in(*c.in);
      Call again(*c.method, c.metadata, in, *c.out);
      outcome = co_await target->endpoint->service().call(ctx, again);
      touched = in.touched();
    }
    if (!outcome.unsent || touched || ctx.cancelled() || outcome.status.code() == Code::kResourceExhausted)
      co_return outcome;
    bool all_failing = std::all_of(targets_.begin(), targets_.end(), [](auto& t) { return t->endpoint->failing(); });
    if (all_failing && !names_.empty()) {
      for (const std::string& known : names_) resolver_->forget(known);
      valid_until_ = Time();
    }
    if (attempt >= targets_.size()) co_return outcome;
  }
}

void Remote::close(const Status& why) {
  for (auto& target : targets_) target->endpoint->close(why);
}

}  // namespace duplex::client
