// HTTP fields that a handler may set or that name a content, shared by the plain protocols.
#pragma once

#include <string_view>

#include "duplex/base/metadata.h"

namespace duplex {

// Appends what a user set, without what belongs to the connection and its framing. Binary values are left out.
void add_plain_fields(Metadata& fields, const Metadata& user);
inline Metadata plain_fields(const Metadata& user) {
  Metadata fields;
  add_plain_fields(fields, user);
  return fields;
}

// Is `essence` ("text/event-stream") what a content-type names, whatever its parameters?
bool has_type(std::string_view content_type, std::string_view essence);
// "application/json", "application/merge-patch+json; charset=utf-8", ...
bool is_json(std::string_view content_type);

}  // namespace duplex
