// JSON text to protobuf wire bytes, by the tables of a contract: values go from the text straight to where they stay.
#pragma once

#include <cstdint>
#include <string_view>

#include "contract/byte_output.h"
#include "contract/json_input.h"
#include "contract/json_tables.h"
#include "duplex/contract/contract.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

// Each function returns false where input().fault() says what is wrong.
class JsonReader {
 public:
  JsonReader(const Contract& contract, const JsonReading& reading, JsonInput& input, ByteOutput& out)
      : contract_(contract), reading_(reading), input_(input), out_(out) {}

  // The inside of a message, without a tag or a length.
  bool message(const MessageTable& type, ondemand::value& value, int depth);
  // A field with its tag; nothing, for null.
  bool field(const FieldTable& field, ondemand::value& value, int depth);

 private:
  enum class Zero : uint8_t { kIsLeftOut, kIsWritten };

  bool members(const MessageTable& type, ondemand::object& object, int depth, bool of_any);
  const FieldTable* find(const MessageTable& type, ondemand::raw_json_string key, size_t& next);
  // Of the message whose bits begin at `seen`. False: the bit is set already.
  bool note(size_t bit, size_t seen);
  bool note_seen(const FieldTable& field, size_t seen);
  bool note_oneof(const MessageTable& type, const FieldTable& field, size_t seen);
  bool unknown_member(const MessageTable& type, ondemand::value& value, int depth);

  bool single(const FieldTable& field, ondemand::value& value, Zero zero, int depth);
  bool nested(const FieldTable& field, ondemand::value& value, int depth);
  bool list(const FieldTable& field, ondemand::value& value, int depth);
  bool packed(const FieldTable& field, ondemand::array& array);
  bool map(const FieldTable& field, ondemand::value& value, int depth);
  bool map_key(const FieldTable& key, ondemand::raw_json_string raw, uint64_t& bits, size_t& text_size);

  bool text(const FieldTable& field, ondemand::value& value, Zero zero);
  bool bytes(const FieldTable& field, ondemand::value& value, Zero zero);
  // A number, bool or enum as it stands on the wire. `skipped` becomes true for a name that an enum does not have,
  // where the policy says so.
  bool number(const FieldTable& field, ondemand::value& value, uint64_t& bits, bool& skipped);
  // Empty: good; else what is wanted.
  static std::string_view number_of_text(Kind kind, std::string_view text, bool quoted, uint64_t& bits);
  bool enum_number(const EnumTable& type, ondemand::value& value, uint64_t& bits, bool& skipped);
  void put_number(Kind kind, uint64_t bits);

  // json_reader_well_known.cc: the types whose JSON is not that of their fields.
  bool any(const MessageTable& type, ondemand::value& value, int depth);
  bool any_type(ondemand::object& object, const Type*& type);
  bool any_value(const MessageTable& type, ondemand::object& object, int depth);
  bool time_point(ondemand::value& value);
  bool time_span(ondemand::value& value);
  bool put_time(int64_t seconds, int32_t nanos);
  bool field_mask(const MessageTable& type, ondemand::value& value);
  bool any_json(const MessageTable& type, ondemand::value& value, int depth);

  const Contract& contract_;
  const JsonReading& reading_;
  JsonInput& input_;
  ByteOutput& out_;
  bool skipped_ = false;  // the last single() wrote nothing, by the policy
};

}  // namespace duplex::contract
