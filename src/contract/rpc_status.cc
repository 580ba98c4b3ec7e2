#include "duplex/contract/rpc_status.h"

#include "contract/wire.h"

namespace duplex::contract {

// google.rpc.Status: int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3.
// google.protobuf.Any: string type_url = 1; bytes value = 2.

std::string encode_rpc_status(const Status& status) {
  std::string out;
  if (status.is_ok()) return out;
  wire::put_number(out, 1, static_cast<uint64_t>(status.code()));
  if (!status.message().empty()) wire::put_bytes(out, 2, status.message());
  for (const Detail& detail : status.details()) {
    std::string any;
    if (!detail.type_url.empty()) wire::put_bytes(any, 1, detail.type_url);
    if (!detail.value.empty()) wire::put_bytes(any, 2, detail.value);
    wire::put_bytes(out, 3, any);
  }
  return out;
}

std::optional<Status> decode_rpc_status(std::string_view bytes) {
  uint64_t code = 0;
  std::string message;
  std::vector<Detail> details;
  wire::Reader reader(bytes);
  for (wire::Field field; reader.next(field);) {
    if (field.number == 1 && field.type == wire::Type::kVarint) code = field.value;
    if (field.number == 2 && field.type == wire::Type::kBytes) message = std::string(field.bytes);
    if (field.number != 3 || field.type != wire::Type::kBytes) continue;
    Detail detail;
    wire::Reader any(field.bytes);
    for (wire::Field part; any.next(part);) {
      if (part.type != wire::Type::kBytes) continue;
      if (part.number == 1) detail.type_url = std::string(part.bytes);
      if (part.number == 2) detail.value = std::string(part.bytes);
    }
    if (!any.ok()) return std::nullopt;
    details.push_back(std::move(detail));
  }
  if (!reader.ok()) return std::nullopt;
  if (code == 0) return Status::ok();
  return Status(code_of(code), std::move(message), std::move(details));
}

}  // namespace duplex::contract
