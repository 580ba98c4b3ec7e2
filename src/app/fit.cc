#include "app/fit.h"

#include "duplex/config/find.h"

namespace duplex::app {
namespace {

using resilience::Policy;

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
    return !settings_.policy.fallback;
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

}  // namespace

Status check_fit(const Client::Settings& settings, const std::vector<const contract::Service*>& services) {
  const Written written(settings);
  for (const contract::Service* service : services)
    for (const auto& method : service->methods())
      if (Status s = check_fallback(written, *method); !s.is_ok()) return s;
  return {};
}

}  // namespace duplex::app
