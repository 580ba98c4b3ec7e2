#include "protocols/http_fields.h"

#include <algorithm>
#include <string>

namespace duplex {
namespace {

bool is_framing(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "connection",        "content-length",  "host", "keep-alive", "te", "trailer", "upgrade",
      "transfer-encoding", "proxy-connection"};
  return name.empty() || name[0] == ':' || std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// In lower case, without parameters.
std::string essence_of(std::string_view content_type) {
  std::string_view essence = content_type.substr(0, content_type.find(';'));
  while (essence.ends_with(' ')) essence.remove_suffix(1);
  std::string lower(essence);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

}  // namespace

void add_plain_fields(Metadata& fields, const Metadata& user) {
  for (Metadata::Entry e : user)
    if (!is_framing(e.name) && !is_binary_name(e.name) && !e.name.starts_with("grpc-") && is_field_value(e.value))
      fields.add(e.name, e.value);
}

bool has_type(std::string_view content_type, std::string_view essence) { return essence_of(content_type) == essence; }

bool is_json(std::string_view content_type) {
  const std::string lower = essence_of(content_type);
  return lower == "application/json" || (lower.starts_with("application/") && lower.ends_with("+json"));
}

}  // namespace duplex
