// From protobuf's text format (https://protobuf.dev/reference/protobuf/textformat-spec) to a message's bytes: what
// people who know their .proto write into a file by hand.
#pragma once

#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

// Error: INVALID_ARGUMENT that names line and column within `text`, and the mistake: a field that the type does not
// have, a value that does not fit, messages nested deeper than 100.
Result<Bytes> text_to_proto(const Type& type, std::string_view text);

// The same of a text that is JSON (json.h) or text format, whichever it looks like: what begins with a name is text
// format, but for JSON's `true`, `false` and `null`. Nothing but blanks is neither.
Result<Bytes> written_to_proto(const Type& type, std::string_view text);

}  // namespace duplex::contract
