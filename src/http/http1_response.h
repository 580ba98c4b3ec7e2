// Http1Response: what a server's exchange sends, held until the end of the turn and then written as HTTP/1.1.
//
// A reply that is whole by then goes out with its length, in one plain write; one that is not goes out in chunks, one a
// turn.
#pragma once

#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/metadata.h"

namespace duplex::http {

class Http1Response {
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
  void append(std::string_view octets) {
    if (!end_written_) held_.append(octets);
  }
  void end(const Metadata& trailers) {
    ended_ = true;
    trailers_ = trailers;
  }
  // The rest is not worth sending, or somebody else has answered.
  void drop();

  // Moves to `out` up to about `room` octets of what is held, the head first. `date` is for the head.
  void write(Buffer& out, size_t room, const Asked& asked, std::string_view date);

  size_t held() const { return held_.size() - held_at_; }
  bool begun() const { return head_written_; }
  bool written() const { return end_written_; }  // all of it
  // The answer's form, or a fault in it, asks for the connection's end.
  bool must_close() const { return must_close_; }
  // Its end cannot be told from a break of the connection but by a reset.
  bool ends_with_connection() const { return framing_ == Framing::kClose; }
  bool switched() const { return framing_ == Framing::kRaw; }

 private:
  enum class Framing : uint8_t { kNone, kLength, kChunked, kClose, kRaw };
  void write_head(Buffer& out, const Asked& asked, std::string_view date);
  bool write_fields(Buffer& out, bool& dated, bool& has_length, uint64_t& length);
  void write_end(Buffer& out, const Asked& asked);

  int status_ = 0;
  Metadata fields_, trailers_;
  Buffer held_;
  size_t held_at_ = 0;
  Framing framing_ = Framing::kNone;
  uint64_t length_left_ = 0;
  bool ended_ = false, head_written_ = false, end_written_ = false, must_close_ = false;
};

// "HTTP/1.1 404 Not Found\r\n"
void append_status_line(Buffer& out, int status);
// A whole answer of the connection's own, after which it ends.
void append_refusal(Buffer& out, int status, std::string_view text, std::string_view date, bool head_only = false);

}  // namespace duplex::http
