#include "contract/text_of_value.h"

#include <google/protobuf/descriptor.h>

#include <bit>
#include <charconv>
#include <cmath>

#include "contract/base64.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

using google::protobuf::FieldDescriptor;

namespace {

template <class T>
std::string float_text(T value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

int64_t unzigzag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

std::string number_text(const FieldDescriptor& field, uint64_t value) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SFIXED32:
      return std::to_string(static_cast<int32_t>(value));
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SINT64:
      return std::to_string(unzigzag(value));
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
      return std::to_string(static_cast<int64_t>(value));
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      return std::to_string(static_cast<uint32_t>(value));
    case FieldDescriptor::TYPE_DOUBLE:
      return float_text(std::bit_cast<double>(value));
    case FieldDescriptor::TYPE_FLOAT:
      return float_text(std::bit_cast<float>(static_cast<uint32_t>(value)));
    case FieldDescriptor::TYPE_BOOL:
      return value ? "true" : "false";
    case FieldDescriptor::TYPE_ENUM: {
      const auto* named = field.enum_type()->FindValueByNumber(static_cast<int>(value));
      return named ? named->name() : std::to_string(static_cast<int32_t>(value));
    }
    default:
      return std::to_string(value);
  }
}

wire::Type wire_type(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
    case FieldDescriptor::TYPE_FLOAT:
      return wire::Type::kFixed32;
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
    case FieldDescriptor::TYPE_DOUBLE:
      return wire::Type::kFixed64;
    case FieldDescriptor::TYPE_STRING:
    case FieldDescriptor::TYPE_BYTES:
    case FieldDescriptor::TYPE_MESSAGE:
      return wire::Type::kBytes;
    default:
      return wire::Type::kVarint;
  }
}

Status malformed(const FieldDescriptor& field) {
  return Status::invalid_argument("malformed protobuf bytes in " + field.full_name());
}

Status message_text(const Contract& contract, const FieldDescriptor& field, std::string_view bytes,
                    std::vector<std::string>& texts) {
  const auto& type = *field.message_type();
  if (const FieldDescriptor* value = type.FindFieldByName("value"); value && type.field_count() == 1) {  // a wrapper
    wire::Field last;
    last.number = 1;
    last.type = wire_type(*value);
    wire::Reader reader(bytes);
    for (wire::Field part; reader.next(part);) {
      if (part.number == 1) last = part;
    }
    return reader.ok() ? texts_of_value(contract, *value, last, texts) : malformed(field);
  }
  auto json = proto_to_json(contract.type_of(type), bytes);
  if (!json) return json.error();
  std::string_view text = json->view();  // a string without escapes: Timestamp, Duration and FieldMask need none
  if (text.size() < 2 || text.front() != '"') return malformed(field);
  texts.emplace_back(text.substr(1, text.size() - 2));
  return Status::ok();
}

}  // namespace

Status texts_of_value(const Contract& contract, const FieldDescriptor& field, const wire::Field& part,
                      std::vector<std::string>& texts) {
  const wire::Type expected = wire_type(field);
  if (part.type == wire::Type::kBytes && expected != wire::Type::kBytes && field.is_repeated()) {  // packed
    wire::Reader reader(part.bytes);
    for (wire::Field one; reader.next_packed(one, expected);) texts.push_back(number_text(field, one.value));
    return reader.ok() ? Status::ok() : malformed(field);
  }
  if (part.type != expected) return malformed(field);
  if (field.type() == FieldDescriptor::TYPE_STRING) {
    texts.emplace_back(part.bytes);
  } else if (field.type() == FieldDescriptor::TYPE_BYTES) {
    texts.push_back(base64_encode(part.bytes));
  } else if (field.type() == FieldDescriptor::TYPE_MESSAGE) {
    return message_text(contract, field, part.bytes, texts);
  } else {
    texts.push_back(number_text(field, part.value));
  }
  return Status::ok();
}

}  // namespace duplex::contract
