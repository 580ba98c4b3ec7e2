// From an HTTP verb and path to the rule of a method.
//
// A tree of path segments: a literal beats `*`, `*` beats `**`, at each segment from the left, and a path whose better
// branch has no rule for the verb falls back to the other. A lookup takes no memory and copies nothing.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/status.h"
#include "duplex/contract/http_rule.h"

namespace duplex::contract {

class Service;

// What the path held for each variable of the template, as it stood in the URL: percent-decoding waits for its use.
// Borrowed from the path that was looked up.
class Captures {
 public:
  size_t size() const { return size_; }
  std::string_view operator[](size_t i) const { return raw_[i]; }
  void push_back(std::string_view raw) { raw_[size_++] = raw; }

 private:
  std::array<std::string_view, kMaxPathVariables> raw_;
  size_t size_ = 0;
};

struct RouteMatch {
  enum class Kind : unsigned char {
    kFound,
    kOtherVerb,  // the path exists, not with this verb: 405, and `Allow: ` + Router::allowed(path)
    kNoPath,     // 404
  };
  Kind kind = Kind::kNoPath;
  const HttpRule* rule = nullptr;  // of kFound; rule->method is the method
  Captures captures;
};

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // The rule must outlive the router. Error: ALREADY_EXISTS that names both methods.
  Status add(const HttpRule& rule);
  // All rules of all methods of a service.
  Status add(const Service& service);

  // `path` as it came, still percent-encoded, without "?" and what follows. A path of more than 128 segments is
  // kNoPath.
  RouteMatch find(std::string_view verb, std::string_view path) const;

  // The verbs that `path` has rules for, sorted, as the field Allow wants it: "GET, POST"; "*" if any verb is taken.
  std::string allowed(std::string_view path) const;

 private:
  struct Node;
  class Walk;
  std::unique_ptr<Node> root_;
};

}  // namespace duplex::contract
