#include "duplex/contract/router.h"

#include <algorithm>
#include <set>

#include "duplex/contract/contract.h"

namespace duplex::contract {

namespace {
constexpr size_t kMaxSegments = 128;
}

struct Router::Node {
  struct Child {
    std::string literal;
    std::unique_ptr<Node> node;
  };
  std::vector<Child> literals;        // sorted
  std::unique_ptr<Node> one;          // `*`
  std::unique_ptr<Node> rest;         // `**`; has rules only
  std::vector<const HttpRule*> here;  // rules that end at this node

  Node* find_literal(std::string_view literal) const {
    auto at = std::lower_bound(literals.begin(), literals.end(), literal,
                               [](const Child& c, std::string_view l) { return c.literal < l; });
    return at != literals.end() && at->literal == literal ? at->node.get() : nullptr;
  }
  Node& make_literal(const std::string& literal) {
    if (Node* there = find_literal(literal)) return *there;
    auto at = std::lower_bound(literals.begin(), literals.end(), literal,
                               [](const Child& c, const std::string& l) { return c.literal < l; });
    return *literals.insert(at, Child{literal, std::make_unique<Node>()})->node;
  }
};

// One lookup. The custom verb is a part of the last segment, so a path is walked once with it split off and, if that
// finds nothing, once with the last segment whole.
class Router::Walk {
 public:
  explicit Walk(std::string_view path) {
    if (path.empty() || path.front() != '/') return;
    if (path.size() == 1) {
      valid_ = true;
      return;
    }
    for (size_t from = 1;;) {
      if (count_ == kMaxSegments) return;
      const size_t slash = path.find('/', from);
      segments_[count_++] = path.substr(from, slash == std::string_view::npos ? slash : slash - from);
      if (slash == std::string_view::npos) break;
      from = slash + 1;
    }
    valid_ = true;
  }

  // Calls `take(rule)` for the rules whose template matches, the better first, until it returns true.
  template <class Take>
  bool each(const Node& root, Take take) {
    if (!valid_) return false;
    if (count_ != 0) {
      const std::string_view last = segments_[count_ - 1];
      const size_t colon = last.rfind(':');
      if (colon != std::string_view::npos && colon + 1 < last.size()) {
        custom_ = last.substr(colon + 1);
        segments_[count_ - 1] = last.substr(0, colon);
        if (visit(root, 0, take)) return true;
        custom_ = {};
        segments_[count_ - 1] = last;
      }
    }
    return visit(root, 0, take);
  }

  Captures capture(const HttpRule& rule) const {
    Captures captures;
    for (const auto& variable : rule.path.variables()) {
      const bool rest = rule.path.segments()[variable.first + variable.count - 1].kind == PathTemplate::Kind::kRest;
      const size_t end = rest ? count_ : variable.first + variable.count;
      if (variable.first >= end) {  // a `**` that matched nothing
        captures.push_back({});
        continue;
      }
      const char* from = segments_[variable.first].data();
      const std::string_view last = segments_[end - 1];
      captures.push_back({from, static_cast<size_t>(last.data() + last.size() - from)});
    }
    return captures;
  }

 private:
  template <class Take>
  bool visit(const Node& node, size_t at, Take& take) {
    if (at == count_) {
      if (take_all(node, take)) return true;
    } else {
      const std::string_view segment = segments_[at];
      const Node* child = nullptr;
      if (segment.find('%') == std::string_view::npos) {
        child = node.find_literal(segment);
      } else if (auto decoded = percent_decode(segment)) {
        child = node.find_literal(*decoded);
      }
      if (child && visit(*child, at + 1, take)) return true;
      if (node.one && !segment.empty() && visit(*node.one, at + 1, take)) return true;
    }
    return node.rest && take_all(*node.rest, take);
  }
  template <class Take>
  bool take_all(const Node& node, Take& take) {
    for (const HttpRule* rule : node.here) {
      if (rule->path.verb() == custom_ && take(*rule)) return true;
    }
    return false;
  }

  std::array<std::string_view, kMaxSegments> segments_;
  size_t count_ = 0;
  bool valid_ = false;
  std::string_view custom_;
};

namespace {
// " of /shop.v1.Orders/GetOrder"; a plain route has no method.
std::string owner(const HttpRule& rule) { return rule.method ? " of " + rule.method->path() : ""; }
}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

Status Router::add(const HttpRule& rule) {
  Node* node = root_.get();
  for (const auto& segment : rule.path.segments()) {
    if (segment.kind == PathTemplate::Kind::kLiteral) {
      node = &node->make_literal(segment.literal);
      continue;
    }
    auto& next = segment.kind == PathTemplate::Kind::kOne ? node->one : node->rest;
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  for (const HttpRule* other : node->here) {
    if (other->verb == rule.verb && other->path.verb() == rule.path.verb())
      return Status::already_exists("the route " + rule.verb + " " + rule.path.text() + owner(rule) +
                                    " is there already (" + other->path.text() + owner(*other) +
                                    "): give one of them another path");
  }
  // A rule that names its verb beats one that takes every verb.
  node->here.insert(rule.verb == "*" ? node->here.end() : node->here.begin(), &rule);
  return Status::ok();
}

Status Router::add(const Service& service) {
  for (const auto& method : service.methods()) {
    for (const HttpRule& rule : method->http_rules()) {
      if (Status s = add(rule); !s.is_ok()) return s;
    }
  }
  return Status::ok();
}

RouteMatch Router::find(std::string_view verb, std::string_view path) const {
  Walk walk(path);
  RouteMatch match;
  walk.each(*root_, [&](const HttpRule& rule) {
    match.kind = RouteMatch::Kind::kOtherVerb;
    if (rule.verb != verb && rule.verb != "*") return false;
    match.kind = RouteMatch::Kind::kFound;
    match.rule = &rule;
    match.captures = walk.capture(rule);
    return true;
  });
  return match;
}

std::string Router::allowed(std::string_view path) const {
  std::set<std::string_view> verbs;
  Walk walk(path);
  walk.each(*root_, [&](const HttpRule& rule) {
    verbs.insert(rule.verb);
    return false;
  });
  std::string out;
  for (std::string_view verb : verbs) {
    if (!out.empty()) out += ", ";
    out += verb;
  }
  return out;
}

}  // namespace duplex::contract
