#include "cli/reach.h"

#include <fstream>
#include <sstream>

#include "cli/reflected.h"
#include "duplex/client/origin.h"
#include "duplex/contract/proto_files.h"

namespace duplex::cli {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return Status::not_found(path + " cannot be read");
  return text.str();
}

bool has_tls(const Target& t) { return t.tls || !t.ca.empty() || !t.certificate.empty() || !t.server_name.empty(); }

}  // namespace

Result<std::shared_ptr<Client>> client_of(const Target& target) {
  Client::Settings settings;
  settings.address = target.address;
  bool tls = has_tls(target);
  for (std::string_view scheme : {"https://", "http://"})
    if (settings.address.starts_with(scheme)) {
      tls |= scheme == "https://";
      settings.address.erase(0, scheme.size());
      if (settings.address.ends_with('/')) settings.address.pop_back();
    }
  settings.name = settings.address;
  if (auto origins = client::parse_origins(settings.address); !origins) return origins.error();
  settings.protocol = target.rest ? Protocol::kRest : Protocol::kGrpc;
  settings.policy.timeout = target.timeout;
  if (tls) {
    settings.tls.emplace().ca = target.ca;
    settings.tls->certificate = {target.certificate, target.key};
    settings.tls->server_name = target.server_name;
  }
  if (Status s = Client::check(settings); !s.is_ok()) return s;
  return std::make_shared<Client>(std::move(settings));
}

Result<Metadata> metadata_of(const Target& target) {
  Metadata metadata;
  for (const std::string& field : target.fields) {
    const size_t colon = field.find(':');
    if (colon == field.npos || colon == 0)
      return Status::invalid_argument("-H \"" + field + "\": write it as \"name: value\"");
    std::string_view value = std::string_view(field).substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    std::string name = field.substr(0, colon);
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (Status s = metadata.set_by_user(name, value); !s.is_ok()) return s;
  }
  return metadata;
}

Task<Result<std::shared_ptr<const contract::Contract>>> contract_of(Context& ctx, Client& client,
                                                                    const Target& target) {
  Result<std::string> set = std::string();
  if (!target.protos.empty()) {
    std::vector<std::string> imports = target.imports;
    if (imports.empty()) imports.emplace_back(".");
    set = contract::read_proto_files(target.protos, imports);
  } else if (!target.descriptor_set.empty()) {
    set = read_file(target.descriptor_set);
  } else {
    set = co_await reflected_contract(ctx, client);
    if (!set && set.error().code() == Code::kUnimplemented)
      co_return Status::unimplemented(
          target.address +
          " has no reflection, so its contract is not known: give --proto FILE or --descriptor-set FILE "
          "(a Duplex service has it with `server.reflection: true`)");
  }
  if (!set) co_return set.error();
  co_return contract::Contract::load(*set);
}

Result<const contract::Method*> find_method(const contract::Contract& contract, const std::string& name) {
  std::string path = name.starts_with('/') ? name.substr(1) : name;
  if (path.find('/') == path.npos)
    if (size_t dot = path.rfind('.'); dot != path.npos) path[dot] = '/';
  if (const contract::Method* method = contract.find_method("/" + path)) return method;
  std::vector<const contract::Method*> found;
  std::string known;
  for (const auto& service : contract.services())
    for (const auto& method : service->methods()) {
      if (method->name() == name) found.push_back(method.get());
      known += "\n  " + method->path().substr(1);
    }
  if (found.size() == 1) return found.front();
  if (found.size() > 1)
    return Status::invalid_argument("more than one service has a " + name + "; write package.Service/" + name);
  return Status::not_found("there is no method " + name + (known.empty() ? "" : "; there is" + known));
}

}  // namespace duplex::cli
