// Between a message's protobuf bytes and its JSON (https://protobuf.dev/programming-guides/json).
#pragma once

#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

// How JSON is written. Reading takes both forms of a field's name whatever these say.
struct JsonOptions {
  bool proto_names = true;  // "price_cents" as in the .proto; false: "priceCents"
  bool print_zeros = true;  // fields without presence are written even if they are zero or empty
  bool enums_as_numbers = false;
};

struct JsonReading {
  // Fields that the type does not have, and names that an enum does not have, are skipped: a server that is newer than
  // its client adds them.
  bool skip_unknown = false;
};

// Error: INVALID_ARGUMENT that names the field (one that the type does not have, a value that does not fit) or says
// that the text is not JSON.
Result<Bytes> json_to_proto(const Type& type, std::string_view json, const JsonReading& reading = {});

// Error: INVALID_ARGUMENT if `wire` is not a message of that type, or holds an Any whose type the contract does not
// know.
Result<Bytes> proto_to_json(const Type& type, std::string_view wire, const JsonOptions& options = {});

}  // namespace duplex::contract
