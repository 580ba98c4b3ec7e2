#include <algorithm>

#include "duplex/contract/contract.h"
#include "duplex/resilience/retry.h"

namespace duplex::resilience {
namespace {

// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view verb) {
  static constexpr std::string_view kVerbs[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  return std::find(std::begin(kVerbs), std::end(kVerbs), verb) != std::end(kVerbs);
}

bool has_key(const Call& call) {
  auto key = call.metadata.find("idempotency-key");
  return key && !key->empty();
}

// By every rule that it has: one that has a POST, too, may make something new each time it comes that way.
bool has_idempotent_verbs(const Method& method) {
  if (!method.contract) return false;
  const auto& rules = method.contract->http_rules();
  return !rules.empty() && std::all_of(rules.begin(), rules.end(), [](auto& rule) { return is_idempotent(rule.verb); });
}

}  // namespace

bool repeatable(const Method& method) {
  constexpr std::string_view kPlain = "http:";
  std::string_view verb = method.name;
  if (verb.starts_with(kPlain)) {
    verb.remove_prefix(kPlain.size());
    return is_idempotent(verb.substr(0, verb.find(' ')));
  }
  return method.idempotency != Idempotency::kUnknown || has_idempotent_verbs(method);
}

bool repeatable(const Call& call, Repeat rule) {
  switch (rule) {
    case Repeat::kAlways:
      return true;
    case Repeat::kNever:
      return false;
    case Repeat::kByKey:
      return has_key(call);
    case Repeat::kAuto:
      break;
  }
  if (call.method->idempotency != Idempotency::kUnknown || has_key(call)) return true;
  if (auto verb = call.metadata.find(":method")) return is_idempotent(*verb);  // a plain request
  return has_idempotent_verbs(*call.method);
}

}  // namespace duplex::resilience
