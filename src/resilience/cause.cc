#include "duplex/resilience/cause.h"

#include <algorithm>
#include <charconv>

namespace duplex::resilience {
namespace {

std::string shown(const Cause& cause) {
  switch (cause.kind) {
    case Cause::Kind::kCode:
      return std::string(code_name(static_cast<Code>(cause.value)));
    case Cause::Kind::kHttp:
      return std::to_string(cause.value);
    case Cause::Kind::kOpen:
      return "open";
    case Cause::Kind::kLimit:
      return "limit";
  }
  return "";
}

}  // namespace

config::Kind<Cause> cause() {
  auto parse = [](std::string_view text) -> Result<Cause> {
    if (text == "open") return Cause{Cause::Kind::kOpen, 0};
    if (text == "limit") return Cause{Cause::Kind::kLimit, 0};
    int status = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    if (error == std::errc() && end == text.data() + text.size()) {
      if (status >= 400 && status <= 599) return Cause::http(status);
      return Status::invalid_argument("\"" + std::string(text) + "\" is no HTTP status of a failure (400 to 599)");
    }
    std::vector<std::string> known;
    for (unsigned code = 1; code <= 16; ++code) {
      known.emplace_back(code_name(static_cast<Code>(code)));
      if (known.back() == text) return Cause::of(static_cast<Code>(code));
    }
    return Status::invalid_argument("\"" + std::string(text.substr(0, 100)) +
                                    "\" is no cause: write a gRPC code, an HTTP status, `open` or `limit`; " +
                                    config::suggestion(text, known));
  };
  return {"cause", "", parse, shown};
}

Causes::Causes(const std::vector<Cause>& list) {
  for (const Cause& cause : list) {
    if (cause.kind == Cause::Kind::kCode) codes_ |= 1u << cause.value;
    if (cause.kind == Cause::Kind::kHttp) http_.push_back(cause.value);
    open_ |= cause.kind == Cause::Kind::kOpen;
    limit_ |= cause.kind == Cause::Kind::kLimit;
  }
}

bool Causes::match(const Outcome& outcome) const {
  if (outcome.refused_by == RefusedBy::kBreaker) return open_;
  if (outcome.refused_by == RefusedBy::kLimit) return limit_;
  // An exchange of plain HTTP that went through may be OK whatever its HTTP status.
  if (outcome.http_status && std::find(http_.begin(), http_.end(), outcome.http_status) != http_.end()) return true;
  return !outcome.status.is_ok() && has(outcome.status.code());
}

}  // namespace duplex::resilience
