// Http1Response: what a server's exchange sends.
#pragma once

#include <string_view>

#include "http/http1_body.h"

namespace duplex::http {

class Http1Response final : public Http1Body {
 public:
  // What the request allows.
  struct Asked {
    bool head = false;           // a HEAD: no body in the answer
    bool http11 = true;          // chunks are understood
    bool trailers = false;       // `te: trailers`
    bool close = false;          // the connection ends after this answer
    bool keep_alive_10 = false;  // HTTP/1.0 that wants to go on must be told so
  };

  void clear();
  void head(int status, const Metadata& fields) {
    status_ = status;
    fields_ = fields;
  }
  // Moves to `out` up to about `room` octets of what is held, the head first. `date` is for the head.
  void write(Buffer& out, size_t room, const Asked& asked, std::string_view date);

 private:
  void write_head(Buffer& out, const Asked& asked, std::string_view date);
  void choose_framing(Buffer& out, const Asked& asked);

  int status_ = 0;
  Metadata fields_;
};

// "HTTP/1.1 404 Not Found\r\n"
void append_status_line(Buffer& out, int status);
// A whole answer of the connection's own, after which it ends.
void append_refusal(Buffer& out, int status, std::string_view text, std::string_view date, bool head_only = false);

}  // namespace duplex::http
