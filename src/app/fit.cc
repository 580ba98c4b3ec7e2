#include "app/fit.h"

#include "duplex/config/find.h"

namespace duplex::app {
namespace {

using resilience::Policy;
using resilience::Repeat;

constexpr std::string_view kMayBeRepeated =
    "write idempotent: by_key to hedge the calls that carry an idempotency-key, or idempotent: yes if you know that it "
    "does no harm";

// A client's settings, and where each was said.
class Written {
 public:
  explicit Written(const Client::Settings& settings) : settings_(settings) {}

  const Client::Settings& settings() const { return settings_; }
  // The policy of a method, its own or the peer's.
  const Policy& of(const std::string& method) const {
    auto own = settings_.methods.find(method);
    return own != settings_.methods.end() ? own->second : settings_.policy;
  }
  // Is that said for this method, and not just inherited from the peer?
  bool own(const std::string& method, const config::Path& setting) const {
    if (!settings_.methods.contains(method)) return false;
    if (settings_.written) return config::find(*settings_.written, below(method, setting));
    // In C++ a method's policy begins as a copy of the peer's.
    return setting[0] == "hedge" ? !settings_.policy.hedge : !settings_.policy.fallback;
  }
  Status wrong(const std::string& method, const config::Path& setting, const std::string& what) const {
    const config::Path path = own(method, setting) ? below(method, setting) : setting;
    std::string text = settings_.written ? config::place_before(*settings_.written, path) + "peers." : "";
    text += settings_.name;
    for (const std::string& name : path) text += "." + name;
    return Status::invalid_argument(text + ": " + what);
  }

 private:
  static config::Path below(const std::string& method, const config::Path& setting) {
    config::Path path{"methods", method};
    path.insert(path.end(), setting.begin(), setting.end());
    return path;
  }
  const Client::Settings& settings_;
};

std::string name_of(const contract::Method& method) { return method.path().substr(1); }

Status check_fallback(const Written& written, const contract::Method& method) {
  const std::string name = name_of(method);
  const auto& fallback = written.of(name).fallback;
  if (!fallback || method.service_streams()) return {};
  if (!fallback->reply.empty()) {
    const config::Path reply{"fallback", "reply"};
    if (auto fits = resilience::static_reply(fallback->reply, method); !fits)
      return written.wrong(name, reply,
                           "is no reply of " + name + ": " + fits.error().message() +
                               (written.own(name, reply) ? "" : "; write a reply below `methods`, for those it fits"));
  }
  if (!fallback->method.empty()) {
    const config::Path setting{"fallback", "method"};
    auto other = resilience::stand_in(fallback->method, method);
    // Said for the whole peer, it is for the methods that have its messages.
    if (!other && written.own(name, setting)) return written.wrong(name, setting, other.error().message());
  }
  return {};
}

Status check_hedge(const Written& written, const contract::Method& method) {
  const std::string name = name_of(method);
  const auto& hedge = written.of(name).hedge;
  if (!hedge || hedge->idempotent != Repeat::kAuto || !written.own(name, {"hedge"})) return {};
  if (resilience::repeatable(method.plain())) return {};
  return written.wrong(name, {"hedge"},
                       name +
                           " may not be called twice: its contract gives it neither an idempotency_level nor a verb "
                           "such as GET or PUT; " +
                           std::string(kMayBeRepeated));
}

// Said for the whole peer, `auto` is for the methods that may be called twice; there must be some.
Status check_hedge_of_peer(const Written& written, const std::vector<const contract::Service*>& services) {
  const auto& hedge = written.settings().policy.hedge;
  if (!hedge || hedge->idempotent != Repeat::kAuto || services.empty()) return {};
  for (const contract::Service* service : services)
    for (const auto& method : service->methods())
      if (resilience::repeatable(method->plain())) return {};
  return written.wrong("", {"hedge"},
                       "no method of " + services.front()->name() +
                           " may be called twice: its contract gives none an idempotency_level or a verb such as GET "
                           "or PUT; " +
                           std::string(kMayBeRepeated));
}

}  // namespace

Status check_verbs(const Client::Settings& settings) {
  const Written written(settings);
  for (const auto& [method, policy] : settings.methods) {
    if (!method.starts_with("http:") || !policy.hedge || policy.hedge->idempotent != Repeat::kAuto) continue;
    if (!written.own(method, {"hedge"}) || resilience::repeatable(Method(method, false, false))) continue;
    return written.wrong(
        method, {"hedge"},
        "a " + method.substr(5) + " may not be made twice (RFC 9110, section 9.2.2); " + std::string(kMayBeRepeated));
  }
  return {};
}

Status check_fit(const Client::Settings& settings, const std::vector<const contract::Service*>& services) {
  const Written written(settings);
  for (const contract::Service* service : services)
    for (const auto& method : service->methods()) {
      if (Status s = check_fallback(written, *method); !s.is_ok()) return s;
      if (Status s = check_hedge(written, *method); !s.is_ok()) return s;
    }
  return check_hedge_of_peer(written, services);
}

}  // namespace duplex::app
