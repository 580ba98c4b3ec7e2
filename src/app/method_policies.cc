#include "app/method_policies.h"

#include <set>

namespace duplex::app {
namespace {

using resilience::MethodConfig;
using resilience::Policy;

constexpr std::string_view kPlain = "http:";  // how the names of plain methods begin

const MethodConfig* said_of(const Client::Settings& settings, std::string_view method) {
  if (!settings.service_config || method.starts_with(kPlain)) return nullptr;  // gRPC's is about methods
  return settings.service_config->find(method.empty() ? std::string() : "/" + std::string(method));
}

// By what it is called, or by what all of its kind are: "shop.v1.Prices/", "http:".
class ByMethod final : public Service {
 public:
  using Chains = std::map<std::string, std::shared_ptr<Service>, std::less<>>;
  ByMethod(std::shared_ptr<Service> others, Chains methods, Chains kinds)
      : others_(std::move(others)), methods_(std::move(methods)), kinds_(std::move(kinds)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return of(c.method->name).call(ctx, c); }

 private:
  Service& of(std::string_view name) const {
    if (name.starts_with('/')) name.remove_prefix(1);
    if (auto own = methods_.find(name); own != methods_.end()) return *own->second;
    if (kinds_.empty()) return *others_;
    const std::string_view kind =
        name.starts_with(kPlain) ? kPlain : name.substr(0, name.find('/') == name.npos ? 0 : name.find('/') + 1);
    auto found = kinds_.find(kind);
    return found != kinds_.end() ? *found->second : *others_;
  }
  const std::shared_ptr<Service> others_;
  const Chains methods_, kinds_;
};

}  // namespace

Status check_service_config(const Client::Settings& settings) {
  if (!settings.service_config) return {};
  auto wrong = [&](const std::string& where) {
    return Status::failed_precondition(settings.name + where +
                                       ": its service_config has retries or hedges of its own; leave `retry` and "
                                       "`hedge` out, or switch them `off`");
  };
  if ((settings.policy.retry || settings.policy.hedge) && settings.service_config->makes_attempts()) return wrong("");
  for (const auto& [method, policy] : settings.methods) {
    const MethodConfig* said = said_of(settings, method);
    if (said && (said->retry || said->hedge) && (policy.retry || policy.hedge)) return wrong(".methods." + method);
  }
  return {};
}

std::shared_ptr<Service> by_method(const Client::Settings& settings, const std::vector<std::string>& others,
                                   const MakeChain& make) {
  std::set<std::string> names(others.begin(), others.end());
  std::set<std::string> kinds;
  for (const auto& [method, policy] : settings.methods) names.insert(method);
  if (settings.service_config)
    for (const auto& [path, said] : settings.service_config->methods) {
      if (path.empty())
        kinds.insert(std::string(kPlain));  // for which its entry for all methods is not meant
      else
        (path.ends_with('/') ? kinds : names).insert(path.substr(1));
    }
  auto chain_of = [&](const std::string& method) {
    auto own = settings.methods.find(method);
    Policy policy = own != settings.methods.end() ? own->second : settings.policy;
    const MethodConfig* said = said_of(settings, method);
    apply(said, policy);
    return make(method, policy, said);
  };
  std::shared_ptr<Service> rest = chain_of("");
  if (names.empty() && kinds.empty()) return rest;
  ByMethod::Chains of_names, of_kinds;
  for (const std::string& name : names) of_names.emplace(name, chain_of(name));
  for (const std::string& kind : kinds) of_kinds.emplace(kind, chain_of(kind));
  return std::make_shared<ByMethod>(std::move(rest), std::move(of_names), std::move(of_kinds));
}

}  // namespace duplex::app
