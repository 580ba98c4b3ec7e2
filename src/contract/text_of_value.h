// The text of a field's value as it stands in a URL, read from protobuf bytes: the reverse of text_value.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "contract/wire.h"
#include "duplex/base/status.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

// Appends one text for a single value, and one for each of a packed repeated field. `field` is_textual().
Status texts_of_value(const Contract& contract, const google::protobuf::FieldDescriptor& field, const wire::Field& part,
                      std::vector<std::string>& texts);

}  // namespace duplex::contract
