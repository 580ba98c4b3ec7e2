#include "http/http1_response.h"

#include <algorithm>

#include "http/http1_text.h"

namespace duplex::http {

void append_status_line(Buffer& out, int status) {
  if (status == 200) return out.append("HTTP/1.1 200 OK\r\n");
  out.append("HTTP/1.1 ");
  append_decimal(out, static_cast<uint64_t>(status));
  out.append(' ');
  out.append(reason_of(status));
  out.append("\r\n");
}

void append_refusal(Buffer& out, int status, std::string_view text, std::string_view date, bool head_only) {
  append_status_line(out, status);
  append_field(out, "date", date);
  out.append("connection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ");
  append_decimal(out, text.size() + 1);
  out.append("\r\n\r\n");
  if (head_only) return;
  out.append(text);
  out.append('\n');
}

void Http1Response::clear() {
  status_ = 0;
  fields_ = Metadata();
  trailers_ = Metadata();
  held_.clear();
  if (held_.capacity() > 16384) held_ = Buffer();
  held_at_ = 0;
  framing_ = Framing::kNone;
  length_left_ = 0;
  ended_ = head_written_ = end_written_ = must_close_ = false;
}

void Http1Response::drop() {
  held_.clear();
  held_at_ = 0;
  head_written_ = end_written_ = must_close_ = true;
}

// False: a field that could make the answer look like another one.
bool Http1Response::write_fields(Buffer& out, bool& dated, bool& has_length, uint64_t& length) {
  for (Metadata::Entry e : fields_) {
    if (!is_token(e.name) || !is_field_value(e.value)) return false;
    if (is_connection_field(e.name)) {
      if (e.name == "connection")
        for_each_element(e.value, [this](std::string_view t) { must_close_ |= equals_ignoring_case(t, "close"); });
      if (e.name != "upgrade" || (status_ != 101 && status_ != 426)) continue;
    }
    if (e.name == "content-length") {
      if (has_length || !parse_length(e.value, length)) return false;
      has_length = true;
      continue;
    }
    if (e.name == "date") dated = true;
    append_field(out, e.name, e.value);
  }
  return true;
}

void Http1Response::write_head(Buffer& out, const Asked& asked, std::string_view date) {
  head_written_ = true;
  must_close_ |= asked.close;
  const size_t start = out.size();
  bool dated = false, has_length = false, status_ok = status_ >= 200 ? status_ <= 999 : status_ == 101;
  uint64_t length = 0;
  append_status_line(out, status_);
  if (!status_ok || !write_fields(out, dated, has_length, length)) {
    out.truncate(start);
    append_refusal(out, 500, "the answer could not be sent", date, asked.head);
    drop();
    return;
  }
  if (!dated) append_field(out, "date", date);
  bool bodiless = asked.head || status_ == 204 || status_ == 304;
  if (status_ == 101) {
    framing_ = Framing::kRaw;
    must_close_ = true;
    out.append("connection: upgrade\r\n\r\n");
    return;
  }
  if (bodiless) {
    // What a GET would have told; a 204 has no length at all (RFC 9110 section 8.6).
    if (!has_length && asked.head && ended_ && held()) length = held(), has_length = true;
    if (has_length && status_ != 204) framing_ = Framing::kLength;
  } else if (has_length) {
    framing_ = Framing::kLength;
  } else if (ended_ && (trailers_.empty() || !asked.trailers)) {
    framing_ = Framing::kLength;
    length = held();
  } else if (asked.http11) {
    framing_ = Framing::kChunked;
  } else {
    framing_ = Framing::kClose;
    must_close_ = true;
  }
  if (framing_ == Framing::kLength) {
    out.append("content-length: ");
    append_decimal(out, length);
    out.append("\r\n");
    length_left_ = length;
  } else if (framing_ == Framing::kChunked) {
    out.append("transfer-encoding: chunked\r\n");
  }
  if (must_close_) out.append("connection: close\r\n");
  else if (asked.keep_alive_10) out.append("connection: keep-alive\r\n");
  out.append("\r\n");
  if (bodiless) {
    framing_ = Framing::kNone;
    held_.clear();
    held_at_ = 0;
  }
}

void Http1Response::write_end(Buffer& out, const Asked& asked) {
  end_written_ = true;
  if (framing_ == Framing::kLength && length_left_) must_close_ = true;  // cut short: let it be seen
  if (framing_ != Framing::kChunked) return;
  out.append("0\r\n");
  if (asked.trailers)
    for (Metadata::Entry e : trailers_)
      if (is_token(e.name) && is_field_value(e.value) && may_be_trailer(e.name)) append_field(out, e.name, e.value);
  out.append("\r\n");
}

void Http1Response::write(Buffer& out, size_t room, const Asked& asked, std::string_view date) {
  if (status_ == 0 || end_written_) return;
  if (!head_written_) write_head(out, asked, date);
  if (end_written_) return;
  size_t count = std::min(held(), room);
  std::string_view part = held_.view().substr(held_at_, count);
  switch (framing_) {
    case Framing::kNone: count = held(); break;  // of no use to anyone
    case Framing::kLength:
      if (part.size() > length_left_) {  // more than was promised: the rest would be read as the next answer
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
    case Framing::kRaw: out.append(part); break;
  }
  held_at_ += count;
  if (held_at_ == held_.size()) {
    held_.clear();
    held_at_ = 0;
    if (ended_) write_end(out, asked);
  }
}

}  // namespace duplex::http
