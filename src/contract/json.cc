#include "duplex/contract/json.h"

#include <google/protobuf/descriptor.h>
#include "contract/field_json.h"
#include "contract/json_reader.h"
#include "contract/json_writer.h"

namespace duplex::contract {

namespace {

Status too_large() { return Status::invalid_argument("a message of 2 GiB or more"); }

// What a thread keeps from one message to the next; no memory of what was in them.
template <class Scratch>
Scratch& kept() {
  thread_local Scratch scratch;
  return scratch;
}

template <class Scratch>
void tidy(Scratch& scratch) {
  if (scratch.is_large()) scratch = Scratch();
}

const FieldTable& table_of(const Type& type, const google::protobuf::FieldDescriptor& field) {
  return *type.table().find(static_cast<uint32_t>(field.number()));
}

Status fault_of(const Type& type, const JsonInput& input) {
  const JsonFault& fault = input.fault();
  std::string text = "JSON of " + type.name() + ": ";
  if (fault.at) text += input.place() + ": ";
  if (!fault.path.empty()) text += fault.path + ": ";
  return Status::invalid_argument(text + fault.what);
}

Status fault_of(const Type& type, const JsonWriter& writer) {
  std::string text = "bytes of " + type.name() + ": ";
  if (!writer.path().empty()) text += writer.path() + ": ";
  return Status::invalid_argument(text + writer.what());
}

// `read` reads the value with a JsonReader.
template <class Read>
Result<Bytes> read_json(const Type& type, std::string_view json, const JsonReading& reading, Read read) {
  if (json.size() > static_cast<size_t>(INT32_MAX)) return too_large();
  auto& scratch = kept<JsonScratch>();
  scratch.seen.clear();
  scratch.keys.close(0);
  JsonInput input(scratch);
  ByteOutput out(json.size() / 2 + 64);
  JsonReader reader(type.contract(), reading, input, out);
  ondemand::value value;
  const bool good = input.open(json, value) && read(reader, value) && input.end();
  Status fault = good ? Status::ok() : fault_of(type, input);
  tidy(scratch);
  if (!good) return fault;
  return out.take();
}

// `write` writes with a JsonWriter.
template <class Write>
Result<Bytes> write_json(const Type& type, std::string_view wire, const JsonOptions& options, Write write) {
  if (wire.size() > static_cast<size_t>(INT32_MAX)) return too_large();
  auto& scratch = kept<WriteScratch>();
  scratch.parts.close(0);
  scratch.keys.close(0);
  ByteOutput out(wire.size() * 2 + 64);
  JsonWriter writer(type.contract(), options, scratch, out);
  const bool good = write(writer);
  tidy(scratch);
  if (!good) return fault_of(type, writer);
  return out.take();
}

}  // namespace

Result<Bytes> json_to_proto(const Type& type, std::string_view json, const JsonReading& reading) {
  return read_json(type, json, reading,
                   [&](JsonReader& reader, ondemand::value& value) { return reader.message(type.table(), value, 0); });
}

Result<Bytes> proto_to_json(const Type& type, std::string_view wire, const JsonOptions& options) {
  return write_json(type, wire, options, [&](JsonWriter& writer) { return writer.message(type.table(), wire, 0); });
}

Result<Bytes> field_from_json(const Type& type, const google::protobuf::FieldDescriptor& field, std::string_view json,
                              const JsonReading& reading) {
  return read_json(type, json, reading, [&](JsonReader& reader, ondemand::value& value) {
    return reader.field(table_of(type, field), value, 0);
  });
}

Result<Bytes> field_to_json(const Type& type, const google::protobuf::FieldDescriptor& field, std::string_view wire,
                            const JsonOptions& options) {
  return write_json(type, wire, options,
                    [&](JsonWriter& writer) { return writer.field(type.table(), table_of(type, field), wire); });
}

}  // namespace duplex::contract
