// Which service answers a request: gRPC by path, a route of the contract or a plain one by verb and path.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "duplex/contract/description.h"
#include "duplex/contract/router.h"
#include "duplex/http/exchange.h"
#include "duplex/service/service.h"

namespace duplex::app {

// Immutable once built; shared by all loops.
class Dispatcher final : public http::Handler {
 public:
  struct Settings {
    size_t max_message = 4 << 20;
    Duration timeout{};  // of a unary call that brings no deadline
    Filter observe{};    // what sees calls that are refused before their chain is asked
  };
  explicit Dispatcher(Settings settings) : settings_(std::move(settings)) {}

  // `chain` ends in `service`. Error: the contract could not be loaded, or two methods share a route.
  Status add(const contract::ServiceDescription& service, std::shared_ptr<Service> chain);
  // Error: the pattern is malformed or taken.
  Status add_route(std::string_view pattern, const std::function<std::shared_ptr<Service>(const Method&)>& chain_of);

  Task<void> serve(Context& ctx, http::Exchange& x) override;

 private:
  struct Target {
    const Method* method;
    Service* chain;
  };
  Task<void> serve_rest(Context& ctx, http::Exchange& x, std::string_view path);
  void answer_no_route(http::Exchange& x, std::string_view path, const contract::RouteMatch& match) const;

  const Settings settings_;
  std::unordered_map<std::string_view, Target> methods_;  // by gRPC path
  std::unordered_map<const contract::Method*, Target> rest_methods_;
  contract::Router router_, plain_router_;
  std::deque<contract::HttpRule> plain_rules_;
  std::unordered_map<const contract::HttpRule*, Target> plain_targets_;
  std::deque<Method> plain_methods_;
  std::vector<std::shared_ptr<Service>> chains_;  // keeps them alive
};

}  // namespace duplex::app
