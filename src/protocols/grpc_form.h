// How gRPC's messages travel: as gRPC itself, or as gRPC-Web, whose trailers are a last frame of the body and whose
// text form is base64 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md); as they are, or by gzip.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/metadata.h"

namespace duplex::grpc {

struct Form {
  bool web = false;
  bool text = false;  // of web
  bool gzip = false;

  // What begins a reply of that form; constant, one a form.
  const Metadata& reply_head() const;
};

// The form of requests of that content-type; nullopt: it is not gRPC's, or its messages are not protobuf's.
std::optional<Form> form_of(std::string_view content_type);

// A message's frame, whole: the prefix, and the message. For a form of text, in base64.
void append_frame(Buffer& out, const Form& form, uint8_t flags, std::string_view message);
// The frame of gRPC-Web that holds the trailers.
void append_trailers(Buffer& out, const Form& form, const Metadata& trailers);

// Does a list of encodings ("identity,gzip") hold gzip?
bool takes_gzip(std::string_view accept_encoding);

// Takes base64 as it comes, and keeps what is not a whole group. Groups may be padded anywhere: each piece of a stream
// is encoded by itself.
class Unarmour {
 public:
  // Appends what `text` decodes to. False: it is no base64.
  bool decode(std::string_view text, Buffer& out);
  bool whole() const { return kept_.empty(); }

 private:
  std::string kept_;  // less than 4 octets
};

}  // namespace duplex::grpc
