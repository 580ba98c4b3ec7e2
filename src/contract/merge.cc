#include "contract/merge.h"

#include <google/protobuf/descriptor.h>

#include <map>
#include <vector>

#include "contract/wire.h"

namespace duplex::contract {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string merged(const Descriptor& type, std::string_view bytes) {
  std::map<uint32_t, std::vector<wire::Field>> fields;
  wire::Reader reader(bytes);
  for (wire::Field part; reader.next(part);) {
    const FieldDescriptor* field = type.FindFieldByNumber(static_cast<int>(part.number));
    if (const auto* oneof = field ? field->real_containing_oneof() : nullptr) {
      for (int i = 0; i < oneof->field_count(); ++i) {
        if (oneof->field(i) != field) fields.erase(static_cast<uint32_t>(oneof->field(i)->number()));
      }
    }
    fields[part.number].push_back(part);
  }
  std::string out;
  out.reserve(bytes.size());
  for (const auto& [number, parts] : fields) {
    const FieldDescriptor* field = type.FindFieldByNumber(static_cast<int>(number));
    if (!field || field->is_repeated()) {
      for (const auto& part : parts) out += part.whole;
    } else if (parts.size() > 1 && field->type() == FieldDescriptor::TYPE_MESSAGE) {
      std::string inner;
      for (const auto& part : parts) inner += part.bytes;
      wire::put_bytes(out, number, merged(*field->message_type(), inner));
    } else {
      out += parts.back().whole;
    }
  }
  return out;
}

}  // namespace duplex::contract
