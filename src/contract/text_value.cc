#include "contract/text_value.h"

#include <google/protobuf/descriptor.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "contract/base64.h"
#include "contract/json_text.h"
#include "contract/wire.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

using google::protobuf::FieldDescriptor;

namespace {

Status wanted(std::string_view what, std::string_view text) {
  constexpr size_t kShown = 64;
  std::string shown = json_string(text.substr(0, kShown));
  return Status::invalid_argument(std::string(what) + " is wanted, not " + shown + (text.size() > kShown ? "..." : ""));
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

template <class T>
bool parse_float(std::string_view text, T& value) {
  if (text == "NaN") {
    value = std::numeric_limits<T>::quiet_NaN();
  } else if (text == "Infinity") {
    value = std::numeric_limits<T>::infinity();
  } else if (text == "-Infinity") {
    value = -std::numeric_limits<T>::infinity();
  } else {
    return parse_number(text, value) && std::isfinite(value);
  }
  return true;
}

// A negative int32 takes ten bytes on the wire: it is extended to 64 bits.
uint64_t extended(int64_t value) { return static_cast<uint64_t>(value); }

Status append_message(std::string& out, const Contract& contract, const FieldDescriptor& field, std::string_view text) {
  const auto& type = *field.message_type();
  std::string inner;
  if (const FieldDescriptor* value = type.FindFieldByName("value"); value && type.field_count() == 1) {
    if (Status s = append_text_value(inner, contract, *value, text); !s.is_ok()) return s;  // a wrapper
  } else {
    auto bytes = json_to_proto(contract.type_of(type), json_string(text));
    if (!bytes) return wanted("a " + type.full_name(), text);
    inner = bytes->to_string();
  }
  wire::put_bytes(out, static_cast<uint32_t>(field.number()), inner);
  return Status::ok();
}

Status append_enum(std::string& out, const FieldDescriptor& field, std::string_view text) {
  const auto& type = *field.enum_type();
  int32_t number = 0;
  if (const auto* named = type.FindValueByName(std::string(text))) {
    number = named->number();
  } else if (!parse_number(text, number)) {
    return wanted("the name of a value of " + type.full_name(), text);
  }
  wire::put_number(out, static_cast<uint32_t>(field.number()), extended(number));
  return Status::ok();
}

}  // namespace

Status append_text_value(std::string& out, const Contract& contract, const FieldDescriptor& field,
                         std::string_view text) {
  const auto number = static_cast<uint32_t>(field.number());
  switch (field.type()) {
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SFIXED32: {
      int32_t value = 0;
      if (!parse_number(text, value)) return wanted("a whole number of 32 bits", text);
      if (field.type() == FieldDescriptor::TYPE_SFIXED32)
        wire::put_fixed32(out, number, static_cast<uint32_t>(value));
      else
        wire::put_number(out, number,
                         field.type() == FieldDescriptor::TYPE_SINT32 ? wire::zigzag(value) : extended(value));
      return Status::ok();
    }
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SINT64:
    case FieldDescriptor::TYPE_SFIXED64: {
      int64_t value = 0;
      if (!parse_number(text, value)) return wanted("a whole number of 64 bits", text);
      if (field.type() == FieldDescriptor::TYPE_SFIXED64)
        wire::put_fixed64(out, number, static_cast<uint64_t>(value));
      else
        wire::put_number(out, number,
                         field.type() == FieldDescriptor::TYPE_SINT64 ? wire::zigzag(value) : extended(value));
      return Status::ok();
    }
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32: {
      uint32_t value = 0;
      if (!parse_number(text, value)) return wanted("a whole number of 32 bits, not negative,", text);
      if (field.type() == FieldDescriptor::TYPE_FIXED32)
        wire::put_fixed32(out, number, value);
      else
        wire::put_number(out, number, value);
      return Status::ok();
    }
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64: {
      uint64_t value = 0;
      if (!parse_number(text, value)) return wanted("a whole number of 64 bits, not negative,", text);
      if (field.type() == FieldDescriptor::TYPE_FIXED64)
        wire::put_fixed64(out, number, value);
      else
        wire::put_number(out, number, value);
      return Status::ok();
    }
    case FieldDescriptor::TYPE_DOUBLE: {
      double value = 0;
      if (!parse_float(text, value)) return wanted("a number", text);
      wire::put_fixed64(out, number, std::bit_cast<uint64_t>(value));
      return Status::ok();
    }
    case FieldDescriptor::TYPE_FLOAT: {
      float value = 0;
      if (!parse_float(text, value)) return wanted("a number that a float can hold", text);
      wire::put_fixed32(out, number, std::bit_cast<uint32_t>(value));
      return Status::ok();
    }
    case FieldDescriptor::TYPE_BOOL:
      if (text != "true" && text != "false") return wanted("true or false", text);
      wire::put_number(out, number, text == "true" ? 1 : 0);
      return Status::ok();
    case FieldDescriptor::TYPE_STRING:
      if (!is_utf8(text)) return wanted("text in UTF-8", text);
      wire::put_bytes(out, number, text);
      return Status::ok();
    case FieldDescriptor::TYPE_BYTES: {
      const auto bytes = base64_decode(text);
      if (!bytes) return wanted("base64", text);
      wire::put_bytes(out, number, *bytes);
      return Status::ok();
    }
    case FieldDescriptor::TYPE_ENUM:
      return append_enum(out, field, text);
    case FieldDescriptor::TYPE_MESSAGE:
      return append_message(out, contract, field, text);
    case FieldDescriptor::TYPE_GROUP:
      break;
  }
  return Status::invalid_argument("a group cannot stand in a URL");
}

Status append_text_value(std::string& out, const Contract& contract, const FieldPath& path, std::string_view text) {
  std::string bytes;
  if (Status s = append_text_value(bytes, contract, *path.back(), text); !s.is_ok()) return s;
  for (size_t i = path.size() - 1; i-- > 0;) {
    std::string outer;
    wire::put_bytes(outer, static_cast<uint32_t>(path[i]->number()), bytes);
    bytes = std::move(outer);
  }
  out += bytes;
  return Status::ok();
}

}  // namespace duplex::contract
