#include "client/discovery.h"

#include <algorithm>

namespace duplex::client {
namespace {

constexpr Duration kFileEvery = std::chrono::seconds(1);  // how often a file is looked at
constexpr Duration kAskAgain = std::chrono::seconds(1);   // after a failure, if there is something to go on with

// Shares `weight` out among what an origin has. Without one they keep theirs, which are around 1.
void divide(double weight, std::vector<Found>& among) {
  if (weight <= 0) return;
  double sum = 0;
  for (const Found& one : among) sum += one.weight;
  for (Found& one : among) one.weight *= weight / sum;
}

// Of the records of one priority. A weight of 0 beside others is a very small chance (RFC 2782).
double mean_weight(const std::vector<Services::Service>& list, int priority) {
  double sum = 0, count = 0;
  for (const auto& one : list)
    if (one.priority == priority) sum += one.weight, ++count;
  return sum / count;
}
double weight_of(const Services::Service& one, double mean) {
  if (mean == 0) return 1;
  return std::max<double>(one.weight, 0.01) / mean;
}

}  // namespace

Discovery::Discovery(std::string peer, std::string_view address, Resolver* resolver)
    : peer_(std::move(peer)), resolver_(resolver) {
  Result<Origins> origins = parse_origins(address);
  if (!origins) {
    mistake_ = Status::invalid_argument("the address of peer " + peer_ + ": " + origins.error().message());
    return;
  }
  origins_ = std::move(*origins);
  for (const Origin& origin : origins_.list) sources_.push_back(std::make_unique<Source>(origin));
}

void Discovery::holds_until(Time time) { valid_until_ = std::min(valid_until_, time); }

void Discovery::remember(const std::string& name) {
  if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
}

Task<Status> Discovery::ask_name(Context& ctx, const std::string& host, uint16_t port, std::vector<Found>& into) {
  if (!resolver_) co_return Status::internal(peer_ + ": " + host + " is a name and there is no resolver");
  Result<Resolved> found = co_await resolver_->resolve(ctx, host);
  if (!found) co_return Status(found.error().code(), peer_ + ": " + found.error().message());
  remember(host);
  holds_until(found->expires);
  for (const std::string& ip : found->addresses) {
    Found one;
    if (Result<Address> address = Address::of_ip(ip, port)) {
      one.address = std::move(*address);
      into.push_back(std::move(one));
    }
  }
  co_return Status();
}

Task<Status> Discovery::ask_services(Context& ctx, const std::string& name, std::vector<Found>& into) {
  if (!resolver_) co_return Status::internal(peer_ + ": " + name + " is a name and there is no resolver");
  Result<Services> found = co_await resolver_->resolve_services(ctx, name);
  if (!found) co_return Status(found.error().code(), peer_ + ": " + found.error().message());
  remember(name);
  holds_until(found->expires);
  std::vector<int> levels;
  for (const auto& one : found->list) levels.push_back(one.priority);
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  Status failure;
  for (const auto& one : found->list) {
    std::vector<Found> hosts;
    if (Status s = co_await ask_name(ctx, one.host, one.port, hosts); !s.is_ok()) {
      failure = s;
      continue;
    }
    divide(weight_of(one, mean_weight(found->list, one.priority)), hosts);
    for (Found& host : hosts) {
      host.priority = static_cast<int>(std::lower_bound(levels.begin(), levels.end(), one.priority) - levels.begin());
      into.push_back(std::move(host));
    }
  }
  co_return into.empty() ? failure : Status();
}

Task<Status> Discovery::ask_origin(Context& ctx, const Origin& origin, std::vector<Found>& into) {
  std::vector<Found> found;
  Status s;
  switch (origin.kind) {
    case Origin::Kind::kEndpoint:
      found.emplace_back();
      found.back().address = origin.address;
      break;
    case Origin::Kind::kName:
      s = co_await ask_name(ctx, origin.address.host(), origin.address.port(), found);
      break;
    case Origin::Kind::kSrv:
      s = co_await ask_services(ctx, origin.text, found);
      break;
    case Origin::Kind::kFile:
      s = Status::internal("a file within a file");  // read_origins_file() refuses it
  }
  if (!s.is_ok()) co_return s;
  divide(origin.weight, found);
  for (Found& one : found) into.push_back(std::move(one));
  co_return Status();
}

Task<Status> Discovery::ask_file(Context& ctx, WatchedFile& file, std::vector<Found>& into) {
  const Status mistake = file.look();
  holds_until(after(ctx.loop().now(), kFileEvery));
  // A copy: another call may read the file anew while this one waits.
  const std::vector<Origin> list = file.list();
  Status failure;
  for (const Origin& origin : list)
    if (Status s = co_await ask_origin(ctx, origin, into); !s.is_ok()) failure = s;
  if (!mistake.is_ok()) co_return mistake;
  co_return into.empty() ? failure : Status();
}

// What the source has now, into its `last`; a failure leaves that, but for a file whose list stood as it was.
Task<Status> Discovery::ask(Context& ctx, Source& source) {
  std::vector<Found> found;
  Status s;
  if (source.origin.kind == Origin::Kind::kFile) {
    s = co_await ask_file(ctx, source.file, found);
    divide(source.origin.weight, found);
  } else {
    s = co_await ask_origin(ctx, source.origin, found);
  }
  for (Found& one : found) one.group = source.origin.group;
  if (!found.empty()) source.last = std::move(found);
  co_return s;
}

Task<Result<Finding>> Discovery::find(Context& ctx) {
  if (!mistake_.is_ok()) co_return mistake_;
  struct Running {
    size_t& n;
    explicit Running(size_t& finds) : n(finds) { ++n; }
    ~Running() { --n; }
  } running(finding_);
  valid_until_ = kNever;  // others go on with what they have
  if (finding_ == 1) names_.clear();
  Finding finding;
  for (auto& source : sources_)
    if (Status s = co_await ask(ctx, *source); !s.is_ok()) finding.complaint = s;
  for (auto& source : sources_)
    finding.endpoints.insert(finding.endpoints.end(), source->last.begin(), source->last.end());
  if (finding.endpoints.empty()) {
    valid_until_ = Time();
    co_return finding.complaint;
  }
  if (!finding.complaint.is_ok()) holds_until(after(ctx.loop().now(), kAskAgain));
  co_return std::move(finding);
}

bool Discovery::forget() {
  if (names_.empty()) return false;
  for (const std::string& name : names_) resolver_->forget(name);
  valid_until_ = Time();
  return true;
}

}  // namespace duplex::client
