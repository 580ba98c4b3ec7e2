// Path templates, and paths looked up among them. Input: lines of "VERB TEMPLATE", an empty line, lines of "VERB PATH".
// The router is a tree; here stands what it must agree with, tried rule by rule.
#include <list>
#include <memory>
#include <string>

#include "duplex/contract/contract.h"
#include "duplex/contract/proto_files.h"
#include "duplex/contract/router.h"
#include "fuzz.h"

namespace {

using duplex::contract::HttpRule;
using duplex::contract::PathTemplate;
using duplex::contract::RouteMatch;
using duplex::contract::Router;
using duplex::fuzz::demand;
using duplex::fuzz::split;
using Pieces = std::vector<std::string_view>;

const duplex::contract::Method& any_method() {
  static const std::shared_ptr<const duplex::contract::Contract> contract = [] {
    auto set = duplex::contract::read_proto_files({"dispatch.proto"}, {DUPLEX_FUZZ_PROTOS, DUPLEX_GOOGLEAPIS_DIR});
    demand(set.has_value(), "the contract is there");
    return *duplex::contract::Contract::load(*set);
  }();
  return *contract->services()[0]->methods()[0];
}

bool fits(const PathTemplate& path, const Pieces& pieces, std::string_view custom) {
  if (path.verb() != custom) return false;
  for (size_t i = 0; i < path.segments().size(); ++i) {
    const PathTemplate::Segment& segment = path.segments()[i];
    if (segment.kind == PathTemplate::Kind::kRest) return true;
    if (i == pieces.size()) return false;
    if (segment.kind == PathTemplate::Kind::kOne) {
      if (pieces[i].empty()) return false;
    } else {
      auto decoded = duplex::contract::percent_decode(pieces[i]);
      if (!decoded || *decoded != segment.literal) return false;
    }
  }
  return path.segments().size() == pieces.size();
}

bool fits(const PathTemplate& path, std::string_view text) {
  if (!text.starts_with('/')) return false;
  Pieces pieces;
  if (text.size() > 1) pieces = split(text.substr(1), '/');
  if (pieces.size() > 128) return false;
  if (fits(path, pieces, "")) return true;
  if (pieces.empty()) return false;
  const size_t colon = pieces.back().rfind(':');
  if (colon == std::string_view::npos || colon + 1 == pieces.back().size()) return false;
  const std::string_view custom = pieces.back().substr(colon + 1);
  pieces.back() = pieces.back().substr(0, colon);
  return fits(path, pieces, custom);
}

void check(const RouteMatch& match, std::string_view path) {
  demand(match.captures.size() == match.rule->path.variables().size(), "a capture for each variable");
  for (size_t i = 0; i < match.captures.size(); ++i) {
    const std::string_view raw = match.captures[i];
    if (raw.empty()) continue;
    demand(raw.data() >= path.data() && raw.data() + raw.size() <= path.data() + path.size(),
           "a capture is of the path");
    const bool multi = match.rule->path.variables()[i].multi;
    demand(multi || raw.find('/') == std::string_view::npos, "one segment has no slash");
    if (auto decoded = duplex::contract::percent_decode(raw, multi); decoded && !multi) {
      auto again = duplex::contract::percent_decode(duplex::contract::percent_encode(*decoded));
      demand(again && *again == *decoded, "percent coding goes both ways");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::list<HttpRule> rules;
  Router router;
  bool looking = false;
  for (std::string_view line : split(duplex::fuzz::text_of(data, size), '\n')) {
    if (line.empty()) {
      looking = true;
      continue;
    }
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos || blank == 0) continue;
    const std::string_view verb = line.substr(0, blank), text = line.substr(blank + 1);
    if (!looking) {
      auto path = PathTemplate::parse(text);
      if (!path) {
        demand(path.error().message().find("column ") != std::string::npos, "a mistake has its place");
        continue;
      }
      auto shape = PathTemplate::parse(path->shape());
      demand(shape && shape->shape() == path->shape(), "a shape is a template of that shape");
      HttpRule rule;
      rule.verb = std::string(verb);
      rule.path = std::move(*path);
      rule.method = &any_method();
      rules.push_back(std::move(rule));
      if (!router.add(rules.back()).is_ok()) rules.pop_back();
      continue;
    }
    auto expected = RouteMatch::Kind::kNoPath;
    for (const HttpRule& rule : rules) {
      if (!fits(rule.path, text)) continue;
      if (rule.verb == verb || rule.verb == "*") expected = RouteMatch::Kind::kFound;
      if (expected == RouteMatch::Kind::kNoPath) expected = RouteMatch::Kind::kOtherVerb;
    }
    const RouteMatch match = router.find(verb, text);
    demand(match.kind == expected, "the tree finds what the list has");
    demand(router.allowed(text).empty() == (match.kind == RouteMatch::Kind::kNoPath),
           "a path that exists allows a verb");
    if (match.kind != RouteMatch::Kind::kFound) continue;
    demand(match.rule->verb == verb || match.rule->verb == "*", "the rule takes the verb");
    demand(fits(match.rule->path, text), "the rule fits the path");
    check(match, text);
  }
  return 0;
}
