#include "duplex/contract/json.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>

#include "contract/any_zero.h"
#include "contract/buffer_stream.h"
#include "contract/message_check.h"

namespace duplex::contract {

namespace pb = google::protobuf;

namespace {

Status too_large() { return Status::invalid_argument("a message of 2 GiB or more"); }

std::string text_of(const pb::util::Status& status) {
  std::string_view text(status.message().data(), status.message().size());
  return std::string(text);
}

}  // namespace

Result<Bytes> json_to_proto(const Type& type, std::string_view json, const JsonReading& reading) {
  if (json.size() > static_cast<size_t>(INT32_MAX)) return too_large();
  Buffer out(json.size() / 2 + 16);
  pb::io::ArrayInputStream input(json.data(), static_cast<int>(json.size()));
  BufferStream output(out);
  pb::util::JsonParseOptions parse;
  parse.ignore_unknown_fields = reading.skip_unknown;
  const auto status = pb::util::JsonToBinaryStream(&type.contract().resolver(), type.url(), &input, &output, parse);
  if (!status.ok()) return Status::invalid_argument("JSON of " + type.name() + ": " + text_of(status));
  return out.take();
}

Result<Bytes> proto_to_json(const Type& type, std::string_view wire, const JsonOptions& options) {
  if (wire.size() > static_cast<size_t>(INT32_MAX)) return too_large();
  // json_util stops at a malformed field as if the message ended there.
  bool has_any = false;
  if (Status s = check_message(type.descriptor(), wire, has_any); !s.is_ok()) return s;
  std::string spelled;
  if (has_any) wire = spelled = with_spelled_zeros(type.contract(), type.descriptor(), wire);
  Buffer out(wire.size() * 2 + 64);
  pb::io::ArrayInputStream input(wire.data(), static_cast<int>(wire.size()));
  BufferStream output(out);
  pb::util::JsonPrintOptions print;
  print.preserve_proto_field_names = options.proto_names;
  print.always_print_primitive_fields = options.print_zeros;
  const auto status = pb::util::BinaryToJsonStream(&type.contract().resolver(), type.url(), &input, &output, print);
  if (!status.ok()) return Status::invalid_argument("bytes of " + type.name() + ": " + text_of(status));
  return out.take();
}

}  // namespace duplex::contract
