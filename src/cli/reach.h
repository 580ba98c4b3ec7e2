// A service that a command of the shell talks to: where it is, and its contract, from files or by asking it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duplex/app/client.h"
#include "duplex/contract/contract.h"

namespace duplex::cli {

struct Target {
  std::string address;  // "host:port", "unix:/path"; "https://host:port" is with TLS
  bool rest = false;    // calls go over REST, not gRPC
  bool tls = false;
  std::string ca, certificate, key, server_name;  // files, as in duplex.yaml; each of them means TLS
  std::vector<std::string> fields;                // "name: value"
  Duration timeout = std::chrono::seconds(15);    // of a call that is no stream
  // Where the contract is: .proto files, or a FileDescriptorSet. Neither: the service is asked by reflection.
  std::vector<std::string> protos, imports;
  std::string descriptor_set;
};

// INVALID_ARGUMENT says what of it cannot be.
Result<std::shared_ptr<Client>> client_of(const Target& target);
Result<Metadata> metadata_of(const Target& target);
// Errors: a file that cannot be read or is wrong; what reflection answered, and the mend.
Task<Result<std::shared_ptr<const contract::Contract>>> contract_of(Context& ctx, Client& client, const Target& target);

// "shop.v1.Orders/GetOrder", with a dot before the method, or "GetOrder" where only one service has it.
// NOT_FOUND tells what there is.
Result<const contract::Method*> find_method(const contract::Contract& contract, const std::string& name);

}  // namespace duplex::cli
