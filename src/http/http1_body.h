// Http1Body: the body of a message of ours, held until the end of the turn and then written as HTTP/1.1.
//
// A message that is whole by then goes out with its length, in one plain write; another goes out in chunks, one a
// turn. What writes the head (Http1Response, Http1Request) chooses.
#pragma once

#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/metadata.h"

namespace duplex::http {

class Http1Body {
 public:
  void append(std::string_view octets) {
    if (!end_written_) held_.append(octets);
  }
  void end(const Metadata& trailers) {
    ended_ = true;
    trailers_ = trailers;
  }
  // The rest is not worth sending, or somebody else has answered.
  void drop();

  size_t held() const { return held_.size() - held_at_; }
  bool begun() const { return head_written_; }
  bool written() const { return end_written_; }  // all of it
  // The message's form, or a fault in it, asks for the connection's end.
  bool must_close() const { return must_close_; }
  // Its end cannot be told from a break of the connection but by a reset.
  bool ends_with_connection() const { return framing_ == Framing::kClose; }

 protected:
  enum class Framing : uint8_t { kNone, kLength, kChunked, kClose, kRaw };
  ~Http1Body() = default;

  void clear();
  void frame_by_length(Buffer& out, uint64_t length);
  void frame_by_chunks(Buffer& out);
  void frame_without_body();
  // Moves to `out` up to `room` octets of what is held, and the end if that was all.
  void write_body(Buffer& out, size_t room, bool with_trailers);
  // Appends the fields that are not the connection's own. False: a field that could make the message look like another.
  bool write_fields(Buffer& out, const Metadata& fields);

  Metadata trailers_;
  Framing framing_ = Framing::kNone;
  bool ended_ = false, head_written_ = false, end_written_ = false, must_close_ = false;
  // What write_fields() met.
  bool dated_ = false, has_length_ = false;
  uint64_t length_ = 0;

 private:
  void write_end(Buffer& out, bool with_trailers);
  Buffer held_;
  size_t held_at_ = 0;
  uint64_t length_left_ = 0;
};

}  // namespace duplex::http
