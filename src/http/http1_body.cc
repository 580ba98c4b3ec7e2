#include "http/http1_body.h"

#include <algorithm>

#include "http/http1_text.h"

namespace duplex::http {

void Http1Body::clear() {
  trailers_ = Metadata();
  held_.clear();
  if (held_.capacity() > 16384) held_ = Buffer();
  held_at_ = 0;
  framing_ = Framing::kNone;
  length_ = length_left_ = 0;
  ended_ = head_written_ = end_written_ = must_close_ = dated_ = has_length_ = false;
}

void Http1Body::drop() {
  held_.clear();
  held_at_ = 0;
  head_written_ = end_written_ = must_close_ = true;
}

bool Http1Body::write_fields(Buffer& out, const Metadata& fields) {
  for (Metadata::Entry e : fields) {
    if (!is_token(e.name) || !is_field_value(e.value)) return false;
    if (is_connection_field(e.name)) {
      if (e.name == "connection")
        for_each_element(e.value, [this](std::string_view t) { must_close_ |= equals_ignoring_case(t, "close"); });
      continue;
    }
    if (e.name == "content-length") {
      if (has_length_ || !parse_length(e.value, length_)) return false;
      has_length_ = true;
      continue;
    }
    if (e.name == "date") dated_ = true;
    append_field(out, e.name, e.value);
  }
  return true;
}

void Http1Body::frame_by_length(Buffer& out, uint64_t length) {
  framing_ = Framing::kLength;
  length_left_ = length;
  out.append("content-length: ");
  append_decimal(out, length);
  out.append("\r\n");
}

void Http1Body::frame_by_chunks(Buffer& out) {
  framing_ = Framing::kChunked;
  out.append("transfer-encoding: chunked\r\n");
}

void Http1Body::frame_without_body() {
  framing_ = Framing::kNone;
  held_.clear();
  held_at_ = 0;
}

void Http1Body::write_end(Buffer& out, bool with_trailers) {
  end_written_ = true;
  if (framing_ == Framing::kLength && length_left_) must_close_ = true;  // cut short: let it be seen
  if (framing_ != Framing::kChunked) return;
  out.append("0\r\n");
  if (with_trailers)
    for (Metadata::Entry e : trailers_)
      if (is_token(e.name) && is_field_value(e.value) && may_be_trailer(e.name)) append_field(out, e.name, e.value);
  out.append("\r\n");
}

void Http1Body::write_body(Buffer& out, size_t room, bool with_trailers) {
  size_t count = std::min(held(), room);
  std::string_view part = held_.view().substr(held_at_, count);
  switch (framing_) {
    case Framing::kNone:
      count = held();
      break;  // of no use to anyone
    case Framing::kLength:
      if (part.size() > length_left_) {  // more than was promised: the rest would be read as the next message
        part = part.substr(0, length_left_);
        must_close_ = true;
        count = held();
      }
      length_left_ -= part.size();
      out.append(part);
      break;
    case Framing::kChunked:
      if (part.empty()) break;
      append_hex(out, part.size());
      out.append("\r\n");
      out.append(part);
      out.append("\r\n");
      break;
    case Framing::kClose:
    case Framing::kRaw:
      out.append(part);
      break;
  }
  held_at_ += count;
  if (held_at_ == held_.size()) {
    held_.clear();
    held_at_ = 0;
    if (ended_) write_end(out, with_trailers);
  }
}

}  // namespace duplex::http
