// What the JSON codec knows of each message type: made of the descriptors once, when a contract is loaded, so that
// neither direction asks a descriptor, makes a Message or builds a tree.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contract/name_table.h"
#include "contract/wire.h"

namespace google::protobuf {
class Descriptor;
class EnumDescriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace duplex::contract {

struct MessageTable;

// The scalar types of protobuf, each of which has its own way on the wire or in JSON.
enum class Kind : uint8_t {
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kSint32,
  kSint64,
  kFixed32,
  kFixed64,
  kSfixed32,
  kSfixed64,
  kFloat,
  kDouble,
  kBool,
  kEnum,
  kString,
  kBytes,
  kMessage,
  kGroup,
};

wire::Type wire_type(Kind kind);

// How a message looks in JSON (https://protobuf.dev/programming-guides/json).
enum class Form : uint8_t {
  kObject,
  kAny,
  kTimestamp,
  kDuration,
  kFieldMask,
  kStruct,
  kValue,
  kListValue,
  kWrapper,  // google.protobuf.Int32Value and its like
};

struct EnumTable {
  std::string_view full_name;
  bool is_null = false;  // google.protobuf.NullValue, whose JSON is null
  NameTable numbers;     // by name; each name of an alias
  // The name of a number, in quotes; empty: it has none. The first of those that share it.
  std::string_view quoted_name(int32_t number) const;

  std::vector<std::string> quoted;  // in the order of `number_of`
  std::vector<int32_t> number_of;   // ascending
};

struct FieldTable {
  uint32_t number = 0;
  Kind kind{};
  wire::Type wire{};       // of one value
  bool is_number = false;  // a bool and an enum too: what can be packed
  bool repeated = false;   // a map too
  bool packed = false;     // is written so; both are read
  bool map = false;
  bool presence = false;      // absent is something else than zero
  bool in_json_null = false;  // null is a value of it: google.protobuf.Value and NullValue
  int32_t oneof = -1;         // which of its message's, if any
  uint32_t index = 0;         // in MessageTable::fields
  uint8_t tag_size = 0;
  char tag[8] = {};                       // as it stands before a value (of packed ones, before all); the rest is zero
  const MessageTable* message = nullptr;  // of kMessage and kGroup
  const EnumTable* enumeration = nullptr;
  std::string_view name;       // "price_cents"
  std::string_view json_name;  // "priceCents"
  std::string key;             // `,"price_cents":`
  std::string json_key;        // `,"priceCents":`

  // What counts of a number on the wire: of a bool whether it is zero, of 32 bits no more than these.
  uint64_t significant(uint64_t bits) const {
    switch (kind) {
      case Kind::kBool:
        return bits != 0;
      case Kind::kInt32:
      case Kind::kUint32:
      case Kind::kSint32:
      case Kind::kEnum:
        return static_cast<uint32_t>(bits);
      default:
        return bits;
    }
  }
};

struct MessageTable {
  std::string_view full_name;
  Form form = Form::kObject;
  std::vector<std::string_view> oneofs;  // their names
  std::vector<FieldTable> fields;        // by number
  NameTable names;                       // JSON names and the names of the .proto: index in `fields`
  std::vector<int32_t> by_number;        // of the low numbers: index in `fields`, or -1

  // Null: there is none.
  const FieldTable* find(uint32_t number) const {
    if (number < by_number.size())
      return by_number[number] < 0 ? nullptr : &fields[static_cast<size_t>(by_number[number])];
    return find_high(number);
  }

 private:
  const FieldTable* find_high(uint32_t number) const;
};

// The tables of one contract's types; immutable once they are built.
class JsonTables {
 public:
  // The table of a type, which stays where it is; made of all the types that it holds, too.
  const MessageTable& add(const google::protobuf::Descriptor& type);

 private:
  const EnumTable& add(const google::protobuf::EnumDescriptor& type);
  void fill(FieldTable& field, const google::protobuf::FieldDescriptor& descriptor);

  std::unordered_map<const google::protobuf::Descriptor*, MessageTable> messages_;
  std::unordered_map<const google::protobuf::EnumDescriptor*, EnumTable> enums_;
  std::deque<std::string> extension_names_;  // "[package.name]"
};

}  // namespace duplex::contract
