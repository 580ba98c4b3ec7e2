// What gRPC puts on the wire, both halves: message frames, timeouts, status text, binary metadata.
// Source: gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/metadata.h"
#include "duplex/base/status.h"
#include "duplex/base/time.h"
#include "duplex/http/exchange.h"
#include "duplex/service/service.h"
#include "protocols/grpc_form.h"

namespace duplex::grpc {

// "Timeout": 1 to 8 digits and one of H M S m u n. nullopt: malformed.
std::optional<Duration> parse_timeout(std::string_view text);
// The most precise form that fits 8 digits, rounded down so as not to exceed the time that is left.
std::string format_timeout(Duration left);

// grpc-message: percent-encoded UTF-8.
std::string encode_message(std::string_view text);
std::string decode_message(std::string_view text);

// Base64 of "-bin" values, with or without padding.
std::string encode_binary(std::string_view bytes);
std::optional<std::string> decode_binary(std::string_view text);

// User metadata as HTTP fields: "-bin" values encoded, names that are the protocol's own left out,
// and values that no field can carry.
void add_user_fields(Metadata& fields, const Metadata& user);
// HTTP fields as call metadata: "-bin" values decoded (several in one field are split). Shares memory where it can.
// INVALID: a "-bin" value that is no base64 is INTERNAL.
Result<Metadata> metadata_of(const Metadata& fields);

// grpc-status, grpc-message and grpc-status-details-bin, then the user's trailers.
Metadata status_fields(const Status& status, const Metadata& user);
// The Status that trailers (or a trailers-only head) tell; nullopt: no grpc-status in them.
std::optional<Status> status_of(const Metadata& fields);

// The 5 octets before a message.
void frame_prefix(char (&prefix)[5], size_t size);

// Messages out of an exchange's body.
class Deframer {
 public:
  // `limit`: a message's largest size in octets, packed and unpacked. `who`: for errors, "request" or "reply".
  Deframer(http::Exchange& x, size_t limit, std::string_view who, Form form = {})
      : x_(x), limit_(limit), who_(who), form_(form) {}

  // The next message if it is whole; nullopt: more must arrive first, or the body has ended (then at_end()).
  // Error: RESOURCE_EXHAUSTED past the limit, INTERNAL for a broken frame, or for a compressed one where the form has
  // no compression.
  Result<std::optional<Message>> poll();
  bool at_end() const {
    return x_.ended() && x_.body().empty() && chunk_.empty() && partial_.empty() && plain_.empty() && unarmour_.whole();
  }

 private:
  static constexpr size_t kPrefix = 5;
  Status read_prefix(const char* prefix);  // sets wanted_ and packed_
  Result<std::optional<Message>> unpacked(Bytes message) const;
  Buffer& body() { return form_.text ? plain_ : x_.body(); }
  void consumed(size_t count) {
    if (!form_.text) x_.consumed(count);  // else when it was decoded
  }
  http::Exchange& x_;
  const size_t limit_;
  const std::string_view who_;
  const Form form_;
  Unarmour unarmour_;
  Buffer plain_;       // of a form of text: what was decoded
  Bytes chunk_;        // taken from the exchange; whole messages are slices of it
  Buffer partial_;     // one message that arrives in pieces
  size_t wanted_ = 0;  // octets of it with its prefix; 0: not known yet
  bool packed_ = false;
};

}  // namespace duplex::grpc
