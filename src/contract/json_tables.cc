#include "contract/json_tables.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cstring>

#include "contract/json_text.h"

namespace duplex::contract {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

namespace {

constexpr uint32_t kLowNumbers = 1024;

Kind kind_of(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_INT32:
      return Kind::kInt32;
    case FieldDescriptor::TYPE_INT64:
      return Kind::kInt64;
    case FieldDescriptor::TYPE_UINT32:
      return Kind::kUint32;
    case FieldDescriptor::TYPE_UINT64:
      return Kind::kUint64;
    case FieldDescriptor::TYPE_SINT32:
      return Kind::kSint32;
    case FieldDescriptor::TYPE_SINT64:
      return Kind::kSint64;
    case FieldDescriptor::TYPE_FIXED32:
      return Kind::kFixed32;
    case FieldDescriptor::TYPE_FIXED64:
      return Kind::kFixed64;
    case FieldDescriptor::TYPE_SFIXED32:
      return Kind::kSfixed32;
    case FieldDescriptor::TYPE_SFIXED64:
      return Kind::kSfixed64;
    case FieldDescriptor::TYPE_FLOAT:
      return Kind::kFloat;
    case FieldDescriptor::TYPE_DOUBLE:
      return Kind::kDouble;
    case FieldDescriptor::TYPE_BOOL:
      return Kind::kBool;
    case FieldDescriptor::TYPE_ENUM:
      return Kind::kEnum;
    case FieldDescriptor::TYPE_STRING:
      return Kind::kString;
    case FieldDescriptor::TYPE_BYTES:
      return Kind::kBytes;
    case FieldDescriptor::TYPE_MESSAGE:
      return Kind::kMessage;
    case FieldDescriptor::TYPE_GROUP:
      return Kind::kGroup;
  }
  return Kind::kBytes;
}

Form form_of(const pb::Descriptor& type) {
  switch (type.well_known_type()) {
    case pb::Descriptor::WELLKNOWNTYPE_ANY:
      return Form::kAny;
    case pb::Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return Form::kTimestamp;
    case pb::Descriptor::WELLKNOWNTYPE_DURATION:
      return Form::kDuration;
    case pb::Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return Form::kFieldMask;
    case pb::Descriptor::WELLKNOWNTYPE_STRUCT:
      return Form::kStruct;
    case pb::Descriptor::WELLKNOWNTYPE_VALUE:
      return Form::kValue;
    case pb::Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return Form::kListValue;
    case pb::Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      return Form::kObject;
    default:
      return Form::kWrapper;
  }
}

std::string key_of(std::string_view name) { return "," + json_string(name) + ":"; }

}  // namespace

wire::Type wire_type(Kind kind) {
  switch (kind) {
    case Kind::kFixed32:
    case Kind::kSfixed32:
    case Kind::kFloat:
      return wire::Type::kFixed32;
    case Kind::kFixed64:
    case Kind::kSfixed64:
    case Kind::kDouble:
      return wire::Type::kFixed64;
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kMessage:
      return wire::Type::kBytes;
    case Kind::kGroup:
      return wire::Type::kStartGroup;
    default:
      return wire::Type::kVarint;
  }
}

std::string_view EnumTable::quoted_name(int32_t number) const {
  const auto at = std::lower_bound(number_of.begin(), number_of.end(), number);
  if (at == number_of.end() || *at != number) return {};
  return quoted[static_cast<size_t>(at - number_of.begin())];
}

const FieldTable* MessageTable::find_high(uint32_t number) const {
  const auto at = std::lower_bound(fields.begin(), fields.end(), number,
                                   [](const FieldTable& field, uint32_t n) { return field.number < n; });
  return at == fields.end() || at->number != number ? nullptr : &*at;
}

const MessageTable& JsonTables::add(const pb::Descriptor& type) {
  const auto [at, fresh] = messages_.try_emplace(&type);
  MessageTable& table = at->second;
  if (!fresh) return table;  // maybe not filled yet: a type that holds itself
  table.full_name = type.full_name();
  table.form = form_of(type);
  for (int i = 0; i < type.real_oneof_decl_count(); ++i) table.oneofs.push_back(type.oneof_decl(i)->name());
  std::vector<const FieldDescriptor*> ordered;
  if (type.extension_range_count() > 0) type.file()->pool()->FindAllExtensions(&type, &ordered);
  for (int i = 0; i < type.field_count(); ++i) ordered.push_back(type.field(i));
  std::sort(ordered.begin(), ordered.end(), [](auto* a, auto* b) { return a->number() < b->number(); });
  table.fields.resize(ordered.size());
  for (size_t i = 0; i < ordered.size(); ++i) {
    table.fields[i].index = static_cast<uint32_t>(i);
    fill(table.fields[i], *ordered[i]);
    const uint32_t number = table.fields[i].number;
    if (number >= kLowNumbers) continue;
    table.by_number.resize(number + 1, -1);
    table.by_number[number] = static_cast<int32_t>(i);
  }
  // A JSON name wins over the name that another field has in the .proto.
  for (const FieldTable& field : table.fields) table.names.add(field.json_name, field.index);
  for (const FieldTable& field : table.fields) table.names.add(field.name, field.index);
  table.names.build();
  return table;
}

void JsonTables::fill(FieldTable& field, const FieldDescriptor& descriptor) {
  field.number = static_cast<uint32_t>(descriptor.number());
  field.kind = kind_of(descriptor);
  field.wire = wire_type(field.kind);
  field.is_number = descriptor.cpp_type() != FieldDescriptor::CPPTYPE_STRING &&
                    descriptor.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
  field.repeated = descriptor.is_repeated();
  field.packed = descriptor.is_packed();
  field.map = descriptor.is_map();
  field.presence = descriptor.has_presence();
  if (const auto* oneof = descriptor.real_containing_oneof()) field.oneof = static_cast<int32_t>(oneof->index());
  if (descriptor.message_type()) field.message = &add(*descriptor.message_type());
  if (descriptor.enum_type()) field.enumeration = &add(*descriptor.enum_type());
  field.in_json_null = (field.message && form_of(*descriptor.message_type()) == Form::kValue) ||
                       (field.enumeration && field.enumeration->is_null);
  // A group's name is that of its type; its field's is the same in small letters, which is what JSON has.
  field.name = descriptor.name();
  field.json_name = descriptor.json_name();
  if (descriptor.is_extension()) {
    extension_names_.push_back("[" + descriptor.full_name() + "]");
    field.name = field.json_name = extension_names_.back();
  }
  field.key = key_of(field.name);
  field.json_key = key_of(field.json_name);
  std::string tag;
  wire::put_tag(tag, field.number, field.packed ? wire::Type::kBytes : field.wire);
  field.tag_size = static_cast<uint8_t>(tag.size());
  std::memcpy(field.tag, tag.data(), tag.size());
}

const EnumTable& JsonTables::add(const pb::EnumDescriptor& type) {
  const auto [at, fresh] = enums_.try_emplace(&type);
  EnumTable& table = at->second;
  if (!fresh) return table;
  table.full_name = type.full_name();
  table.is_null = type.full_name() == "google.protobuf.NullValue";
  for (int i = 0; i < type.value_count(); ++i) {
    table.numbers.add(type.value(i)->name(), type.value(i)->number());
    table.number_of.push_back(type.value(i)->number());
  }
  table.numbers.build();
  std::sort(table.number_of.begin(), table.number_of.end());
  table.number_of.erase(std::unique(table.number_of.begin(), table.number_of.end()), table.number_of.end());
  for (int32_t number : table.number_of) table.quoted.push_back(json_string(type.FindValueByNumber(number)->name()));
  return table;
}

}  // namespace duplex::contract
