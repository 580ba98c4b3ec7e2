#include "cli/describe.h"

#include <google/protobuf/descriptor.h>

#include "duplex/runtime/run.h"

namespace duplex::cli {
namespace {

using ContractResult = Result<std::shared_ptr<const contract::Contract>>;

ContractResult contract_at(const Target& target) {
  auto client = client_of(target);
  if (!client) return client.error();
  return run([&](Context& ctx) -> Task<ContractResult> { co_return co_await contract_of(ctx, **client, target); });
}

std::string signature(const contract::Method& m) {
  auto stream = [](bool streams) { return streams ? "stream " : ""; };
  return "rpc " + m.name() + "(" + stream(m.caller_streams()) + m.input().name() + ") returns (" +
         stream(m.service_streams()) + m.output().name() + ")";
}

std::string routes(const contract::Method& m) {
  std::string all;
  for (const contract::HttpRule& rule : m.http_rules())
    all += (all.empty() ? "" : ", ") + rule.verb + " " + std::string(rule.path.text());
  return all;
}

}  // namespace

Result<std::string> list_methods(const Target& target) {
  ContractResult contract = contract_at(target);
  if (!contract) return contract.error();
  std::string text;
  for (const auto& service : (*contract)->services()) {
    text += service->name() + "\n";
    for (const auto& method : service->methods()) {
      text += "  " + signature(*method);
      if (std::string where = routes(*method); !where.empty()) text += "    " + where;
      text += "\n";
    }
  }
  return text;
}

Result<std::string> describe(const Target& target, const std::string& name) {
  ContractResult contract = contract_at(target);
  if (!contract) return contract.error();
  const google::protobuf::DescriptorPool& pool = (*contract)->pool();
  if (const auto* service = pool.FindServiceByName(name)) return service->DebugString();
  if (const auto* message = pool.FindMessageTypeByName(name)) return message->DebugString();
  if (const auto* choice = pool.FindEnumTypeByName(name)) return choice->DebugString();
  auto method = find_method(**contract, name);
  if (!method) return Status(method.error().code(), "no service, method, message or enum " + name + " is known");
  std::string text = signature(**method) + "\n";
  if (std::string where = routes(**method); !where.empty()) text += "  over REST: " + where + "\n";
  text += "\n" + (*method)->input().descriptor().DebugString();
  if (&(*method)->input() != &(*method)->output()) text += "\n" + (*method)->output().descriptor().DebugString();
  return text;
}

}  // namespace duplex::cli
