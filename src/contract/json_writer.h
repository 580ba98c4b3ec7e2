// Protobuf wire bytes to JSON text, by the tables of a contract: in the order of the fields' numbers, whatever the
// order on the wire.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/byte_output.h"
#include "contract/json_tables.h"
#include "contract/key_set.h"
#include "contract/wire_parts.h"
#include "duplex/contract/contract.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

// Messages within messages, more than these are refused; protobuf's own limit.
inline constexpr int kMostWireDepth = 100;

struct WriteScratch {
  WireParts parts;
  KeySet keys;
  // Whether it has grown past what is worth keeping.
  bool is_large() const;
};

// Each function returns false where what() and path() say what is wrong.
class JsonWriter {
 public:
  JsonWriter(const Contract& contract, const JsonOptions& options, WriteScratch& scratch, ByteOutput& out)
      : contract_(contract), options_(options), parts_(scratch.parts), keys_(scratch.keys), out_(out) {}

  bool message(const MessageTable& type, std::string_view wire, int depth);
  // The value of one field of the message `wire`, without its name. Of one that is absent: its zero where zeros are
  // written, the empty message, or null.
  bool field(const MessageTable& type, const FieldTable& field, std::string_view wire);

  const std::string& what() const { return what_; }
  const std::string& path() const { return path_; }  // "items[2].price_cents"

 private:
  // A run: the parts of one field, from `first` to before `end`.
  bool members(const MessageTable& type, size_t first, int depth);
  bool member(const FieldTable& field, size_t first, size_t end, int depth);
  bool value(const FieldTable& field, size_t first, size_t end, int depth);
  bool single(const FieldTable& field, const WirePart& part, int depth);
  bool list(const FieldTable& field, size_t first, size_t end, int depth);
  bool map(const FieldTable& field, size_t first, size_t end, int depth);
  bool map_entry(const FieldTable& field, std::string_view entry, int depth);
  bool map_keys(const FieldTable& field, size_t first, size_t end, std::vector<bool>& last);
  bool zero(const FieldTable& field, int depth);

  void key(const FieldTable& field) { out_.put(options_.proto_names ? field.key : field.json_key); }
  void map_key(const FieldTable& field, uint64_t bits);
  bool number(const FieldTable& field, uint64_t bits);
  bool text(std::string_view text);
  void bytes(std::string_view bytes);
  template <class T>
  bool real(T value);

  // json_writer_well_known.cc: the types whose JSON is not that of their fields. Their parts are those from `first` on.
  bool well_known(const MessageTable& type, size_t first, int depth);
  bool any(size_t first, int depth);
  bool time(const MessageTable& type, size_t first);
  bool field_mask(size_t first);
  bool any_json(const MessageTable& type, size_t first, int depth);

  // Something that is written as if a comma stood before each of its parts; the first one becomes the bracket.
  size_t open() const { return out_.size(); }
  void close(size_t opened, const char (&brackets)[3]);

  bool fail(std::string what);
  bool too_deep();
  bool malformed() { return fail("these are no bytes of a message"); }
  bool in_member(const FieldTable& field);
  bool in_element(size_t index);
  bool in_part(std::string part);

  const Contract& contract_;
  const JsonOptions& options_;
  WireParts& parts_;
  KeySet& keys_;
  ByteOutput& out_;
  std::string what_, path_;
};

}  // namespace duplex::contract
