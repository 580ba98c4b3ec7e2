#include "contract/fields.h"

#include <google/protobuf/descriptor.h>

#include <string>

namespace duplex::contract {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {
constexpr size_t kMaxDepth = 32;
}

const FieldDescriptor* find_field(const Descriptor& message, std::string_view name) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor* field = message.field(i);
    if (field->name() == name || field->json_name() == name) return field;
  }
  return nullptr;
}

Result<FieldPath> find_field_path(const Descriptor& message, std::string_view text) {
  FieldPath path;
  const Descriptor* in = &message;
  for (size_t from = 0;;) {
    const size_t dot = text.find('.', from);
    const std::string_view name = text.substr(from, dot == std::string_view::npos ? dot : dot - from);
    const FieldDescriptor* field = find_field(*in, name);
    if (!field) return Status::invalid_argument(in->full_name() + " has no field \"" + std::string(name) + "\"");
    path.push_back(field);
    if (dot == std::string_view::npos) return path;
    if (field->type() != FieldDescriptor::TYPE_MESSAGE || field->is_repeated())
      return Status::invalid_argument("\"" + std::string(name) + "\" of " + in->full_name() +
                                      " is not a single message, so nothing can follow it");
    if (path.size() == kMaxDepth)
      return Status::invalid_argument("a field lies more than " + std::to_string(kMaxDepth) + " messages deep");
    in = field->message_type();
    from = dot + 1;
  }
}

bool is_textual(const FieldDescriptor& field) {
  if (field.type() == FieldDescriptor::TYPE_GROUP) return false;
  if (field.type() != FieldDescriptor::TYPE_MESSAGE) return true;
  switch (field.message_type()->well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
    case Descriptor::WELLKNOWNTYPE_DURATION:
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return true;
    default:
      return false;
  }
}

}  // namespace duplex::contract
