// RestReply: what a client makes of the answer to a method that was called over REST.
#pragma once

#include "duplex/contract/contract.h"
#include "protocols/callee.h"
#include "protocols/json_stream.h"

namespace duplex::rest {

class RestReply {
 public:
  // All are borrowed.
  RestReply(const Callee& callee, const contract::HttpRule& rule, http::Exchange& x, Sink& out, size_t max_message);

  // Waits for the answer and hands it to the Sink: the one message with its head when it is whole (a client half has
  // nothing to take back, but a caller of a unary method need not see half an answer), those of a stream as they come.
  Task<Outcome> take(Context& ctx);

 private:
  Task<Outcome> take_failure(Context& ctx);
  Task<Outcome> take_one(Context& ctx);
  Task<Outcome> take_stream(Context& ctx, JsonStream::Form form);
  Task<Outcome> pass(Context& ctx, JsonStream::Item item);
  Result<Message> message_of(std::string_view json) const;
  Status unexpected_type() const;

  const Callee& callee_;
  const contract::HttpRule& rule_;
  const contract::Contract& contract_;
  http::Exchange& x_;
  Sink& out_;
  const size_t max_message_;
};

}  // namespace duplex::rest
