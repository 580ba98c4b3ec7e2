// Writing the well-known types (https://protobuf.dev/programming-guides/json, "Any" and what follows).
#include <bit>
#include <cmath>

#include "contract/field_mask_text.h"
#include "contract/json_time.h"
#include "contract/json_writer.h"

namespace duplex::contract {

bool JsonWriter::well_known(const MessageTable& type, size_t first, int depth) {
  switch (type.form) {
    case Form::kAny:
      return any(first, depth);
    case Form::kTimestamp:
    case Form::kDuration:
      return time(type, first);
    case Form::kFieldMask:
      return field_mask(first);
    case Form::kValue:
      return any_json(type, first, depth);
    default: {  // their only field: of a Struct, a ListValue, a wrapper
      const FieldTable& field = type.fields[0];
      return first == parts_.size() ? zero(field, depth) : value(field, first, parts_.size(), depth);
    }
  }
}

bool JsonWriter::any(size_t first, int depth) {
  std::string_view url, bytes;
  for (size_t i = first; i < parts_.size(); ++i) (parts_[i].field == 0 ? url : bytes) = parts_[i].bytes();
  if (url.empty()) {
    if (!bytes.empty()) return fail("an Any holds bytes and does not say of which type");
    out_.put("{}");
    return true;
  }
  const Type* const type = contract_.find_type(url.substr(url.rfind('/') + 1));
  if (!type)
    return fail("the contract does not know the type of an Any, " + std::string(url.substr(0, 200)) +
                ": import the .proto that has it");
  out_.put("{\"@type\":");
  if (!text(url)) return false;
  const MessageTable& table = type->table();
  if (table.form == Form::kObject) {
    if (depth >= kMostWireDepth) return too_deep();
    const size_t inner = parts_.open();
    if (!parts_.read(table, bytes)) return malformed();
    if (!members(table, inner, depth + 1)) return false;
    parts_.close(inner);
  } else {
    out_.put(",\"value\":");
    if (!message(table, bytes, depth + 1)) return false;
  }
  out_.put("}");
  return true;
}

bool JsonWriter::time(const MessageTable& type, size_t first) {
  int64_t seconds = 0;
  int32_t nanos = 0;
  for (size_t i = first; i < parts_.size(); ++i) {
    if (parts_[i].field == 0) {
      seconds = static_cast<int64_t>(parts_[i].bits);
    } else {
      nanos = static_cast<int32_t>(parts_[i].bits);
    }
  }
  out_.need(kMostTimeText + 2);
  char* const begin = out_.at();
  *begin = '"';
  char* const end = type.form == Form::kTimestamp ? write_time_point(begin + 1, seconds, nanos)
                                                  : write_time_span(begin + 1, seconds, nanos);
  if (!end)
    return fail(type.form == Form::kTimestamp ? "a time outside the years 1 to 9999 has no JSON form"
                                              : "a duration of more than 10,000 years, or whose seconds and nanos have "
                                                "different signs, has no JSON form");
  *end = '"';
  out_.move_to(end + 1);
  return true;
}

bool JsonWriter::field_mask(size_t first) {
  out_.put("\"");
  for (size_t i = first; i < parts_.size(); ++i) {
    const std::string_view path = parts_[i].bytes();
    out_.need(path.size() + 2);
    char* at = out_.at();
    if (i != first) *at++ = ',';
    at = mask_path_to_json(path, at);
    if (!at)
      return fail("the path \"" + std::string(path.substr(0, 200)) +
                  "\" of a FieldMask has no JSON form: it would come back as another one");
    out_.move_to(at);
  }
  out_.put("\"");
  return true;
}

bool JsonWriter::any_json(const MessageTable& type, size_t first, int depth) {
  if (first == parts_.size()) {
    out_.put("null");
    return true;
  }
  const FieldTable& kind = type.fields[parts_[first].field];
  if (kind.kind == Kind::kDouble && !std::isfinite(std::bit_cast<double>(parts_[parts_.size() - 1].bits)))
    return fail("a google.protobuf.Value is NaN or infinite, which JSON does not have");
  return value(kind, first, parts_.size(), depth);
}

}  // namespace duplex::contract
