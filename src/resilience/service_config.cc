#include "duplex/resilience/service_config.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cmath>

namespace duplex::resilience {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

// A value and where it stands. A reader that finds something wrong notes it, if it is the first.
class Reader {
 public:
  Reader(const Value& value, std::string place, Status& problem)
      : value_(value), place_(std::move(place)), problem_(problem) {}

  void wrong(const std::string& what) const {
    if (problem_.is_ok())
      problem_ = Status::invalid_argument("service config" + (place_.empty() ? "" : ", " + place_) + ": " + what);
  }
  bool there() const { return value_.kind_case() != Value::KIND_NOT_SET && value_.kind_case() != Value::kNullValue; }
  bool is_object(const char* what) const {
    if (value_.kind_case() == Value::kStructValue) return true;
    wrong(std::string("must be an object: ") + what);
    return false;
  }

  // Of an object; one that is not there() if it has no such member.
  Reader member(const std::string& name) const {
    static const Value kNone;
    const auto& fields = value_.struct_value().fields();
    const auto found = fields.find(name);
    return Reader(found == fields.end() ? kNone : found->second, place_.empty() ? name : place_ + "." + name, problem_);
  }
  std::vector<Reader> items() const {
    std::vector<Reader> all;
    if (!there()) return all;
    if (value_.kind_case() != Value::kListValue) {
      wrong("must be a list");
      return all;
    }
    for (const Value& item : value_.list_value().values())
      all.emplace_back(item, place_ + "[" + std::to_string(all.size()) + "]", problem_);
    return all;
  }
  std::string text() const {
    if (there() && value_.kind_case() != Value::kStringValue) wrong("must be a text");
    return value_.string_value();
  }
  bool boolean() const {
    if (value_.kind_case() != Value::kBoolValue) wrong("must be true or false");
    return value_.bool_value();
  }
  double number(double above, double most, const char* range) const {
    const double n = value_.number_value();
    if (value_.kind_case() != Value::kNumberValue || !(n > above) || n > most)
      wrong(std::string("must be a number ") + range);
    return n;
  }
  // As JSON has google.protobuf.Duration: "1.5s".
  Duration duration(bool zero_too) const {
    google::protobuf::Duration parsed;
    const bool good = value_.kind_case() == Value::kStringValue &&
                      google::protobuf::util::TimeUtil::FromString(value_.string_value(), &parsed) &&
                      parsed.seconds() >= 0 && parsed.nanos() >= 0 && parsed.seconds() < 1'000'000'000;
    const Duration span = std::chrono::seconds(good ? parsed.seconds() : 0) + Duration(good ? parsed.nanos() : 0);
    if (!good || (!zero_too && span == Duration::zero()))
      wrong(std::string("must be a time such as \"0.1s\"") + (zero_too ? "" : ", above zero"));
    return span;
  }
  // gRFC A6: "UNAVAILABLE" in any letter case, or 14.
  Cause code() const {
    if (value_.kind_case() == Value::kNumberValue) {
      const double n = value_.number_value();
      if (n >= 0 && n <= 16 && n == std::floor(n)) return Cause::of(static_cast<Code>(static_cast<unsigned>(n)));
    }
    std::string upper = value_.string_value();
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    for (unsigned n = 0; n <= 16; ++n)
      if (value_.kind_case() == Value::kStringValue && code_name(static_cast<Code>(n)) == upper)
        return Cause::of(static_cast<Code>(n));
    wrong("must be a gRPC status code: its name, or its number from 0 to 16");
    return Cause();
  }
  std::vector<Cause> codes() const {
    std::vector<Cause> all;
    for (const Reader& item : items()) all.push_back(item.code());
    return all;
  }
  int64_t attempts() const {
    const double n = value_.number_value();
    if (value_.kind_case() != Value::kNumberValue || n < 2 || n != std::floor(n))
      wrong("must be a whole number of at least 2, since it counts the first attempt too");
    return static_cast<int64_t>(std::min(n, 5.0));
  }

 private:
  const Value& value_;
  const std::string place_;
  Status& problem_;
};

RetrySettings retry_policy(const Reader& policy) {
  RetrySettings s;
  if (!policy.is_object("the retry policy of these methods")) return s;
  s.attempts = policy.member("maxAttempts").attempts();
  s.backoff.base = policy.member("initialBackoff").duration(false);
  s.backoff.cap = policy.member("maxBackoff").duration(false);
  s.backoff.multiplier = policy.member("backoffMultiplier").number(0, 1e9, "above zero");
  s.backoff.jitter = Jitter::kGrpc;
  const Reader codes = policy.member("retryableStatusCodes");
  s.on = codes.codes();
  if (s.on.empty()) codes.wrong("must name at least one status code, or nothing is ever retried");
  s.idempotent = Repeat::kAlways;
  return s;
}

HedgeSettings hedging_policy(const Reader& policy) {
  HedgeSettings s;
  if (!policy.is_object("the hedging policy of these methods")) return s;
  s.attempts = policy.member("maxAttempts").attempts();
  const Reader delay = policy.member("hedgingDelay");
  s.delay = delay.there() ? delay.duration(true) : Duration::zero();
  s.non_fatal = policy.member("nonFatalStatusCodes").codes();
  s.idempotent = Repeat::kAlways;
  return s;
}

MethodConfig method_config(const Reader& config) {
  MethodConfig m;
  if (const Reader timeout = config.member("timeout"); timeout.there()) m.timeout = timeout.duration(true);
  if (const Reader wait = config.member("waitForReady"); wait.there()) m.wait_for_ready = wait.boolean();
  const Reader retry = config.member("retryPolicy"), hedge = config.member("hedgingPolicy");
  if (retry.there() && hedge.there()) config.wrong("has a retryPolicy and a hedgingPolicy; a method can have one");
  if (retry.there()) m.retry = retry_policy(retry);
  if (hedge.there()) m.hedge = hedging_policy(hedge);
  return m;
}

std::string path_of(const Reader& name) {
  if (!name.is_object("a service, and a method of it")) return "";
  const std::string service = name.member("service").text(), method = name.member("method").text();
  if (service.empty() && !method.empty()) name.wrong("has a method but no service");
  return service.empty() ? "" : "/" + service + "/" + method;
}

ThrottleSettings throttling(const Reader& policy) {
  ThrottleSettings s;
  if (!policy.is_object("maxTokens and tokenRatio")) return s;
  s.max_tokens = policy.member("maxTokens").number(0, 1000, "above 0, at most 1000");
  const Reader ratio = policy.member("tokenRatio");
  s.ratio = ratio.number(0, 1e6, "above 0");
  if (s.ratio < 0.001) ratio.wrong("must be at least 0.001: three digits after the point count");
  return s;
}

}  // namespace

Result<ServiceConfig> parse_service_config(std::string_view json) {
  Value root;
  const auto read = google::protobuf::util::JsonStringToMessage(google::protobuf::StringPiece(json.data(), json.size()),
                                                                root.mutable_struct_value());
  if (!read.ok()) return Status::invalid_argument("service config: is no JSON object: " + std::string(read.message()));

  ServiceConfig config;
  Status problem;
  const Reader reader(root, "", problem);
  for (const Reader& entry : reader.member("methodConfig").items()) {
    if (!entry.is_object("what holds for the methods that its `name` lists")) break;
    const MethodConfig said = method_config(entry);
    for (const Reader& name : entry.member("name").items()) {
      const std::string path = path_of(name);
      if (!config.methods.emplace(path, said).second)
        name.wrong((path.empty() ? "all methods" : path) + " is named twice");
    }
  }
  if (const Reader throttle = reader.member("retryThrottling"); throttle.there())
    config.throttle = throttling(throttle);
  if (!problem.is_ok()) return problem;
  return config;
}

const MethodConfig* ServiceConfig::find(std::string_view path) const {
  const size_t service = path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1;
  for (std::string_view key : {path, path.substr(0, service), std::string_view()})
    if (auto found = methods.find(key); found != methods.end()) return &found->second;
  return nullptr;
}

namespace {

// The chain for each entry.
class ByServiceConfig final : public Service {
 public:
  ByServiceConfig(std::shared_ptr<Service> next, const std::string& peer, const ServiceConfig& config,
                  const std::shared_ptr<Budget>& budget)
      : next_(std::move(next)), config_(config) {
    for (const auto& [path, said] : config_.methods) {
      std::shared_ptr<Service> chain = next_;
      if (said.retry) chain = retry(peer, *said.retry, budget)(std::move(chain));
      if (said.hedge) chain = hedge(peer, *said.hedge, budget)(std::move(chain));
      chains_.emplace(&said, std::move(chain));
    }
  }
  Task<Outcome> call(Context& ctx, Call& c) override {
    const MethodConfig* said = config_.find(c.method->name);
    if (!said) return next_->call(ctx, c);
    Service& chain = *chains_.find(said)->second;
    return said->timeout ? within(ctx, c, *said->timeout, chain) : chain.call(ctx, c);
  }

 private:
  static Task<Outcome> within(Context& ctx, Call& c, Duration timeout, Service& chain) {
    Context own(ctx, timeout);
    co_return co_await chain.call(own, c);
  }
  const std::shared_ptr<Service> next_;
  const ServiceConfig config_;
  std::map<const MethodConfig*, std::shared_ptr<Service>> chains_;
};

}  // namespace

Filter by_service_config(std::string peer, ServiceConfig config) {
  std::shared_ptr<Budget> budget;  // one, however often the filter is applied
  if (config.throttle) budget = std::make_shared<RetryThrottle>(*config.throttle);
  return [peer = std::move(peer), config = std::move(config),
          budget = std::move(budget)](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<ByServiceConfig>(std::move(next), peer, config, budget);
  };
}

}  // namespace duplex::resilience
