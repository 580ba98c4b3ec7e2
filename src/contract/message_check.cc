#include "contract/message_check.h"

#include <google/protobuf/descriptor.h>

#include <string>

#include "contract/wire.h"

namespace duplex::contract {

namespace {
constexpr int kMaxDepth = 100;  // protobuf's own limit
}

Status check_message(const google::protobuf::Descriptor& type, std::string_view bytes, bool& has_any, int depth) {
  if (type.well_known_type() == google::protobuf::Descriptor::WELLKNOWNTYPE_ANY) has_any = true;
  if (depth > kMaxDepth)
    return Status::invalid_argument(type.full_name() + " is nested more than " + std::to_string(kMaxDepth) + " deep");
  wire::Reader reader(bytes);
  for (wire::Field part; reader.next(part);) {
    if (part.type != wire::Type::kBytes) continue;
    const auto* field = type.FindFieldByNumber(static_cast<int>(part.number));
    if (!field || field->type() != google::protobuf::FieldDescriptor::TYPE_MESSAGE) continue;
    if (Status s = check_message(*field->message_type(), part.bytes, has_any, depth + 1); !s.is_ok()) return s;
  }
  return reader.ok() ? Status::ok() : Status::invalid_argument("malformed protobuf bytes in " + type.full_name());
}

}  // namespace duplex::contract
