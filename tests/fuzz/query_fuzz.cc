// Query parameters into a request with a field of every kind, and back: what was taken is written so that it means the
// same.
#include <memory>
#include <string>

#include "contract/query.h"
#include "duplex/contract/proto_files.h"
#include "fuzz.h"

namespace {

using duplex::Status;
using duplex::contract::Contract;
using duplex::contract::HttpRule;
using duplex::fuzz::demand;

const HttpRule& list_rides() {
  static const std::shared_ptr<const Contract> contract = [] {
    auto set = duplex::contract::read_proto_files({"dispatch.proto"}, {DUPLEX_FUZZ_PROTOS, DUPLEX_GOOGLEAPIS_DIR});
    demand(set.has_value(), "the contract is there");
    return *Contract::load(*set);
  }();
  for (const auto& method : contract->services()[0]->methods())
    if (method->name() == "ListRides") return method->http_rules()[1];  // whose path holds no field
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const HttpRule& rule = list_rides();
  std::string wire;
  Status s = duplex::contract::append_query(wire, rule, duplex::fuzz::text_of(data, size));
  if (!s.is_ok()) {
    demand(s.code() == duplex::Code::kInvalidArgument, "a mistake is the caller's");
    return 0;
  }
  std::string query, wire_again, query_again;
  s = duplex::contract::write_query(query, rule, wire);
  demand(s.is_ok(), "what was read can be written");
  s = duplex::contract::append_query(wire_again, rule, query);
  demand(s.is_ok(), "what was written can be read");
  s = duplex::contract::write_query(query_again, rule, wire_again);
  demand(s.is_ok() && query == query_again, "it means the same");
  return 0;
}
