#include "duplex/contract/typed.h"

namespace duplex {

Task<Outcome> unknown_method(const Call& call) {
  return Task<Outcome>::ready(Outcome(Status::unimplemented("this service has no method " + call.method->name)));
}

namespace detail {

Status unreadable(const Message& message, Side side, const std::string& type) {
  if (message.format != Format::kProto || message.codec != Codec::kIdentity)
    return Status::internal(
        "a " + type + " came compressed or in another format than protobuf: a filter that decodes " + "it is missing");
  std::string text = "malformed bytes where a " + type + " was wanted";
  return side == Side::kServer ? Status::invalid_argument(std::move(text)) : Status::internal(std::move(text));
}

Status cardinality(std::string_view what) { return Status::unimplemented(std::string(what)); }

}  // namespace detail

}  // namespace duplex
