#include "app/dispatcher.h"

#include "duplex/contract/contract.h"
#include "duplex/protocols/grpc_server.h"
#include "duplex/protocols/http_server.h"
#include "duplex/protocols/rest_server.h"

namespace duplex::app {

namespace {

// What a plain route's path held for its variables, as its Call has them.
Result<Metadata> variables_of(const contract::RouteMatch& match) {
  Metadata metadata;
  for (size_t i = 0; i < match.captures.size(); ++i) {
    const auto& variable = match.rule->path.variables()[i];
    Result<std::string> text = contract::percent_decode(match.captures[i], variable.multi);
    if (!text) return Status::invalid_argument("path variable " + variable.field_path + ": " + text.error().message());
    metadata.add(":path." + variable.field_path, *text);
  }
  return metadata;
}

}  // namespace

Status Dispatcher::add(const contract::ServiceDescription& service, std::shared_ptr<Service> chain) {
  if (!service.status().is_ok()) return service.status();
  for (const Method& method : service.methods()) {
    Target target{&method, chain.get()};
    if (!methods_.emplace(method.name, target).second) return Status::already_exists(method.name + " is served twice");
    if (method.contract) rest_methods_.emplace(method.contract, target);
  }
  if (Status s = router_.add(*service.service()); !s.is_ok()) return s;
  chains_.push_back(std::move(chain));
  return {};
}

Status Dispatcher::add_route(std::string_view pattern,
                             const std::function<std::shared_ptr<Service>(const Method&)>& chain_of) {
  std::string shown(pattern.substr(0, 200));
  size_t space = pattern.find(' ');
  if (space == pattern.npos || space == 0)
    return Status::invalid_argument("route '" + shown + "': write a verb and a path, such as \"POST /hooks/x\"");
  Result<contract::PathTemplate> path = contract::PathTemplate::parse(pattern.substr(space + 1));
  if (!path) return Status::invalid_argument("route '" + shown + "': " + path.error().message());
  contract::HttpRule& rule = plain_rules_.emplace_back();
  rule.verb = pattern.substr(0, space);
  rule.path = std::move(*path);
  if (Status s = plain_router_.add(rule); !s.is_ok()) return s;
  const Method& method = plain_methods_.emplace_back("http:" + shown, true, true);
  chains_.push_back(chain_of(method));
  plain_targets_.emplace(&rule, Target{&method, chains_.back().get()});
  return {};
}

Task<void> Dispatcher::serve(Context& ctx, http::Exchange& x) {
  const http::Head& head = x.head();
  auto type = head.fields.find("content-type");
  if (type && grpc::is_grpc(*type)) {
    auto found = methods_.find(head.target);
    if (found != methods_.end()) {
      const Method& method = *found->second.method;
      bool unary = !method.caller_streams && !method.service_streams;
      if (unary && settings_.timeout > Duration::zero() && !head.fields.find("grpc-timeout"))
        ctx.set_deadline(after(ctx.loop().now(), settings_.timeout));
      return grpc::serve(ctx, x, *type, method, *found->second.chain,
                         grpc::ServerSettings{.max_message = settings_.max_message, .observe = &settings_.observe});
    }
    grpc::answer_unknown(x, *type);
    return Task<void>::ready();
  }
  std::string_view path = head.target;
  return serve_rest(ctx, x, path.substr(0, path.find('?')));
}

Task<void> Dispatcher::serve_rest(Context& ctx, http::Exchange& x, std::string_view path) {
  contract::RouteMatch match = plain_router_.find(x.head().method, path);
  if (match.kind == contract::RouteMatch::Kind::kFound) {
    const Target& target = plain_targets_.at(match.rule);
    Result<Metadata> variables = variables_of(match);
    if (variables) return plain::serve(ctx, x, *target.method, *target.chain, std::move(*variables));
    rest::answer_problem(x, variables.error());
    return Task<void>::ready();
  }
  match = router_.find(x.head().method, path);
  if (match.kind != contract::RouteMatch::Kind::kFound) {
    answer_no_route(x, path, match);
    return Task<void>::ready();
  }
  const Target& target = rest_methods_.at(match.rule->method);
  return rest::serve(
      ctx, x, *match.rule, match.captures, *target.method, *target.chain,
      rest::ServerSettings{
          .max_message = settings_.max_message, .timeout = settings_.timeout, .observe = &settings_.observe});
}

void Dispatcher::answer_no_route(http::Exchange& x, std::string_view path, const contract::RouteMatch& match) const {
  std::string allowed = router_.allowed(path), plain = plain_router_.allowed(path);
  std::string shown(path.substr(0, 200));
  if (x.head().method == "POST" && methods_.contains(path))
    return rest::answer_problem(x, Status::unimplemented(shown + " takes gRPC; send content-type application/grpc"),
                                415);
  if (match.kind == contract::RouteMatch::Kind::kNoPath && plain.empty())
    return rest::answer_problem(x, Status::not_found("nothing is at " + shown));
  if (!allowed.empty() && !plain.empty()) allowed += ", ";
  allowed += plain;
  Metadata fields;
  fields.add("allow", allowed);
  rest::answer_problem(x, Status::unimplemented(shown + " takes " + allowed), 405, fields);
}

}  // namespace duplex::app
