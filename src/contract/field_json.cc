#include "contract/field_json.h"

#include <google/protobuf/descriptor.h>

#include <string>

#include "contract/json_text.h"
#include "contract/wire.h"

namespace duplex::contract {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

bool is_plain_message(const FieldDescriptor& field) {
  return field.type() == FieldDescriptor::TYPE_MESSAGE && !field.is_repeated() &&
         field.message_type()->well_known_type() == Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
}

}  // namespace

Result<Bytes> field_from_json(const Type& type, const FieldDescriptor& field, std::string_view json,
                              const JsonReading& reading) {
  if (is_plain_message(field)) {
    auto inner = json_to_proto(type.contract().type_of(*field.message_type()), json, reading);
    if (!inner) return inner.error();
    std::string out;
    wire::put_bytes(out, static_cast<uint32_t>(field.number()), inner->view());
    return Bytes::copy(out);
  }
  if (!is_single_json_value(json))
    return Status::invalid_argument("the body is not one JSON value for the field \"" + field.name() + "\"");
  std::string whole = "{";
  append_json_string(whole, field.json_name());
  whole += ':';
  whole += json;
  whole += '}';
  return json_to_proto(type, whole, reading);
}

Result<Bytes> field_to_json(const Type& type, const FieldDescriptor& field, std::string_view wire_bytes,
                            const JsonOptions& options) {
  std::string only;  // of the message
  std::string inner;
  wire::Reader reader(wire_bytes);
  for (wire::Field part; reader.next(part);) {
    if (part.number != static_cast<uint32_t>(field.number())) continue;
    only += part.whole;
    inner += part.bytes;  // protobuf merges a single message that stands twice; so does putting the bytes together
  }
  if (!reader.ok()) return Status::invalid_argument("malformed protobuf bytes in " + type.name());
  if (is_plain_message(field)) return proto_to_json(type.contract().type_of(*field.message_type()), inner, options);
  auto json = proto_to_json(type, only, options);
  if (!json) return json;
  const auto member = find_json_member(json->view(), options.proto_names ? field.name() : field.json_name());
  return member ? Bytes::copy(*member) : Bytes::literal("null");
}

}  // namespace duplex::contract
