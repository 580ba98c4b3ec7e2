// Between a message's protobuf bytes and its JSON (https://protobuf.dev/programming-guides/json), straight: no message
// class and no tree is made in between.
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
  // its client adds them. What is skipped must be JSON, too.
  bool skip_unknown = false;
};

// Whole numbers and doubles are exact. A field that stands twice, a second member of a oneof, a key of a map that
// stands twice, null in a list or a map, and more than 100 objects and lists within each other are mistakes. Error:
// INVALID_ARGUMENT with the path of the field (`items[2].price_cents`), the mistake and the mend; of what is not JSON
// also the line and the column.
Result<Bytes> json_to_proto(const Type& type, std::string_view json, const JsonReading& reading = {});

// Fields come in the order of their numbers, whatever the order of the bytes; of a single field that stands twice the
// last counts, as for a parser; unknown fields are left out. Error: INVALID_ARGUMENT with the path of the field if
// `wire` is not a message of that type or nested more than 100 deep, holds an Any whose type the contract does not
// know, text that is not UTF-8, or a value without a JSON form (a time after the year 9999, a FieldMask that would come
// back as another one, a google.protobuf.Value that is NaN).
Result<Bytes> proto_to_json(const Type& type, std::string_view wire, const JsonOptions& options = {});

}  // namespace duplex::contract
