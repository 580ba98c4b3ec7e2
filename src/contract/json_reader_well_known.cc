// Reading the well-known types (https://protobuf.dev/programming-guides/json, "Any" and what follows).
#include <bit>
#include <cstring>

#include "contract/field_mask_text.h"
#include "contract/json_number.h"
#include "contract/json_reader.h"
#include "contract/json_time.h"

namespace duplex::contract {

namespace {

constexpr std::string_view kTypeMember = "@type";

}  // namespace

bool JsonReader::any(const MessageTable& type, ondemand::value& value, int depth) {
  ondemand::object object;
  if (!input_.object_of(value, object, "an object", depth)) return false;
  const Type* inner = nullptr;
  if (!any_type(object, inner)) return false;
  if (!inner) return true;  // {}: an Any of nothing
  const MessageTable& table = inner->table();
  const FieldTable& holder = type.fields[1];
  out_.need(8);
  out_.put_tag(holder.tag, holder.tag_size);
  const size_t before = out_.size() - holder.tag_size;
  const size_t start = out_.open();
  const bool read =
      table.form == Form::kObject ? members(table, object, depth + 1, true) : any_value(table, object, depth + 1);
  if (!read) return false;
  if (out_.size() == start) {
    out_.truncate(before);
  } else {
    out_.close(start);
  }
  return true;
}

// Finds "@type", wherever it stands, writes the URL and goes back to the object's begin. `type` stays null for an
// object without members.
bool JsonReader::any_type(ondemand::object& object, const Type*& type) {
  bool empty = true;
  for (auto&& member : object) {
    if (auto error = member.error()) return input_.malformed(error);
    ondemand::field&& field = std::move(member).value_unsafe();
    empty = false;
    std::string_view name, url;
    if (!input_.text_of(field.key(), name)) return false;
    if (name != kTypeMember) continue;
    bool quoted = false;
    if (!input_.text_of(field.value(), url, quoted)) return false;
    if (!quoted) return input_.wanted("the URL of a type", url) || input_.in_member(field.key());
    const size_t slash = url.rfind('/');
    if (slash == std::string_view::npos || slash + 1 == url.size())
      return input_.wanted("the URL of a type, as type.googleapis.com/package.Message,",
                           JsonInput::token(field.value())) ||
             input_.in_member(field.key());
    type = contract_.find_type(url.substr(slash + 1));
    if (!type) {
      input_.fail("the contract does not know the type " + std::string(url.substr(slash + 1, 200)) +
                  ": import the .proto that has it");
      return input_.in_member(field.key());
    }
    out_.need(8 + ByteOutput::kMostVarint + url.size());
    out_.put_octet(0x0a);  // type_url
    out_.put_varint(url.size());
    std::memcpy(out_.at(), url.data(), url.size());
    out_.move_to(out_.at() + url.size());
    if (auto error = object.reset().error()) return input_.malformed(error);
    return true;
  }
  if (empty) return true;
  return input_.fail("\"@type\" is missing: it says which message this is");
}

// What is not an object of its fields stands in the member "value".
bool JsonReader::any_value(const MessageTable& type, ondemand::object& object, int depth) {
  bool found = false, typed = false;
  for (auto&& member : object) {
    if (auto error = member.error()) return input_.malformed(error);
    ondemand::field&& field = std::move(member).value_unsafe();
    std::string_view name;
    if (!input_.text_of(field.key(), name)) return false;
    if (name == "value") {
      if (found) return input_.fail("the field stands twice") || input_.in_member(field.key());
      found = true;
      if (!message(type, field.value(), depth)) return input_.in_member(field.key());
    } else if (name == kTypeMember) {
      if (typed) return input_.fail("the field stands twice") || input_.in_member(field.key());
      typed = true;
      if (!input_.skip(field.value(), depth)) return false;
    } else if (!unknown_member(type, field.value(), depth)) {
      return input_.in_member(field.key());
    }
  }
  return found || input_.fail("\"value\" is missing: it holds what a " + std::string(type.full_name) + " is in JSON");
}

bool JsonReader::time_point(ondemand::value& value) {
  std::string_view text;
  bool quoted = false;
  if (!input_.text_of(value, text, quoted)) return false;
  int64_t seconds = 0;
  int32_t nanos = 0;
  if (!quoted || !parse_time_point(text, seconds, nanos))
    return input_.wanted("a time of the years 1 to 9999, as \"2026-03-01T09:30:00Z\",", JsonInput::token(value));
  return put_time(seconds, nanos);
}

bool JsonReader::time_span(ondemand::value& value) {
  std::string_view text;
  bool quoted = false;
  if (!input_.text_of(value, text, quoted)) return false;
  int64_t seconds = 0;
  int32_t nanos = 0;
  if (!quoted || !parse_time_span(text, seconds, nanos))
    return input_.wanted("a duration in seconds, as \"1.5s\",", JsonInput::token(value));
  return put_time(seconds, nanos);
}

bool JsonReader::put_time(int64_t seconds, int32_t nanos) {
  out_.need(2 + 2 * ByteOutput::kMostVarint);
  if (seconds != 0) {
    out_.put_octet(0x08);
    out_.put_varint(static_cast<uint64_t>(seconds));
  }
  if (nanos != 0) {
    out_.put_octet(0x10);
    out_.put_varint(static_cast<uint64_t>(static_cast<int64_t>(nanos)));
  }
  return true;
}

bool JsonReader::field_mask(const MessageTable& type, ondemand::value& value) {
  std::string_view text;
  bool quoted = false;
  if (!input_.text_of(value, text, quoted)) return false;
  if (!quoted) return input_.wanted("the paths of fields in one string, as \"name,address.city\",", text);
  const FieldTable& paths = type.fields[0];
  for (bool more = !text.empty(); more;) {
    const size_t comma = text.find(',');
    const std::string_view path = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    if (path.empty()) continue;
    out_.need(8 + 2 * path.size() + ByteOutput::kMostVarint);
    out_.put_tag(paths.tag, paths.tag_size);
    const size_t start = out_.open();
    char* const end = mask_path_from_json(path, out_.at());
    if (!end) return input_.wanted("the path of a field, as \"address.cityName\",", path);
    out_.move_to(end);
    out_.close(start);
  }
  return true;
}

// google.protobuf.Value: whatever it is.
bool JsonReader::any_json(const MessageTable& type, ondemand::value& value, int depth) {
  const FieldTable* const null_value = &type.fields[0];
  const FieldTable* const number_value = null_value + 1;
  const FieldTable* const string_value = null_value + 2;
  const FieldTable* const bool_value = null_value + 3;
  const FieldTable* const struct_value = null_value + 4;
  const FieldTable* const list_value = null_value + 5;
  const std::string_view token = JsonInput::token(value);
  switch (token.empty() ? '\0' : token[0]) {
    case '{':
      return nested(*struct_value, value, depth);
    case '[':
      return nested(*list_value, value, depth);
    case '"':
      return text(*string_value, value, Zero::kIsWritten);
    case 'n':
      return token == "null" ? single(*null_value, value, Zero::kIsWritten, depth) : input_.wanted("a value", token);
    case 't':
    case 'f':
      return single(*bool_value, value, Zero::kIsWritten, depth);
    default:
      return single(*number_value, value, Zero::kIsWritten, depth);
  }
}

}  // namespace duplex::contract
