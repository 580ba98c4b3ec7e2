#include "contract/any_zero.h"

#include <google/protobuf/descriptor.h>

#include "contract/wire.h"
#include "duplex/contract/contract.h"

namespace duplex::contract {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

constexpr int kMaxDepth = 100;  // protobuf's own limit

// Bytes that say nothing, and are not none.
std::string zero_of(const Descriptor& type) {
  std::string out;
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
      wire::put_fixed64(out, 1, 0);
      break;
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
      wire::put_fixed32(out, 1, 0);
      break;
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
    case Descriptor::WELLKNOWNTYPE_DURATION:
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      wire::put_number(out, 1, 0);
      break;
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      wire::put_bytes(out, 1, {});
      break;
    case Descriptor::WELLKNOWNTYPE_STRUCT:
    case Descriptor::WELLKNOWNTYPE_ANY:
      wire::put_number(out, 1000, 0);  // a field that they do not have
      break;
    default:
      break;
  }
  return out;
}

std::string spelled_any(const Contract& contract, std::string_view bytes, int depth) {
  std::string_view url, value;
  wire::Reader reader(bytes);
  for (wire::Field part; reader.next(part);) {
    if (part.number == 1) url = part.bytes;
    if (part.number == 2) value = part.bytes;
  }
  const Type* type = contract.find_type(url.substr(url.rfind('/') + 1));
  if (!reader.ok() || !type) return std::string(bytes);
  std::string out;
  wire::put_bytes(out, 1, url);
  const std::string spelled =
      value.empty() ? zero_of(type->descriptor()) : with_spelled_zeros(contract, type->descriptor(), value, depth + 1);
  if (!spelled.empty()) wire::put_bytes(out, 2, spelled);
  return out;
}

}  // namespace

std::string with_spelled_zeros(const Contract& contract, const Descriptor& type, std::string_view bytes, int depth) {
  if (depth > kMaxDepth) return std::string(bytes);
  if (type.well_known_type() == Descriptor::WELLKNOWNTYPE_ANY) return spelled_any(contract, bytes, depth);
  std::string out;
  wire::Reader reader(bytes);
  for (wire::Field part; reader.next(part);) {
    const auto* field = type.FindFieldByNumber(static_cast<int>(part.number));
    if (part.type == wire::Type::kBytes && field && field->type() == FieldDescriptor::TYPE_MESSAGE)
      wire::put_bytes(out, part.number, with_spelled_zeros(contract, *field->message_type(), part.bytes, depth + 1));
    else
      out += part.whole;
  }
  return reader.ok() ? out : std::string(bytes);
}

}  // namespace duplex::contract
