// Our side's handler, as a user would write it.
#pragma once

#include <string>

#include "duplex/duplex.h"
#include "echo.duplex.h"

namespace duplex::bench {

class EchoService final : public EchoBase {
 public:
  Task<Result<EchoReply>> unary(Context&, const EchoRequest& in) override {
    EchoReply out;
    out.set_id(in.id());
    out.set_sequence(in.sequence());
    out.set_customer(in.customer());
    *out.mutable_items() = in.items();
    out.set_payload(in.payload());
    return Task<Result<EchoReply>>::ready(std::move(out));
  }

  Task<Status> stream(Context& ctx, const StreamRequest& in, Writer<EchoReply>& out) override {
    EchoReply reply;
    reply.set_id("stream");
    reply.set_payload(std::string(static_cast<size_t>(in.octets()), 'x'));
    for (int64_t i = 0; i < in.messages(); ++i) {
      reply.set_sequence(i);
      if (Status s = co_await out.write(ctx, reply); !s.is_ok()) co_return s;
    }
    co_return Status::ok();
  }
};

}  // namespace duplex::bench
