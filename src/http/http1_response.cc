#include "http/http1_response.h"

#include "duplex/base/http_reason.h"
#include "http/http1_text.h"

namespace duplex::http {

void append_status_line(Buffer& out, int status) {
  if (status == 200) return out.append("HTTP/1.1 200 OK\r\n");
  out.append("HTTP/1.1 ");
  append_decimal(out, static_cast<uint64_t>(status));
  out.append(' ');
  out.append(http_reason(status));
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
  Http1Body::clear();
  status_ = 0;
  fields_ = Metadata();
}

void Http1Response::choose_framing(Buffer& out, const Asked& asked) {
  if (status_ == 204 || status_ == 304 || asked.head) {
    // What a GET would have told; a 204 has no length at all (RFC 9110 section 8.6).
    if (has_length_ && status_ != 204)
      frame_by_length(out, length_);
    else if (asked.head && ended_ && held())
      frame_by_length(out, held());
    return frame_without_body();
  }
  if (has_length_) return frame_by_length(out, length_);
  if (ended_ && (trailers_.empty() || !asked.trailers)) return frame_by_length(out, held());
  if (asked.http11) return frame_by_chunks(out);
  framing_ = Framing::kClose;
  must_close_ = true;
}

void Http1Response::write_head(Buffer& out, const Asked& asked, std::string_view date) {
  head_written_ = true;
  must_close_ |= asked.close;
  const size_t start = out.size();
  bool status_ok = status_ >= 200 ? status_ <= 999 : status_ == 101;
  append_status_line(out, status_);
  if (!status_ok || !write_fields(out, fields_)) {
    out.truncate(start);
    append_refusal(out, 500, "the answer could not be sent", date, asked.head);
    return drop();
  }
  if (!dated_) append_field(out, "date", date);
  if (auto upgrade = fields_.find("upgrade"); upgrade && (status_ == 101 || status_ == 426))
    append_field(out, "upgrade", *upgrade);
  if (status_ == 101) {
    framing_ = Framing::kRaw;
    must_close_ = true;
    return out.append("connection: upgrade\r\n\r\n");
  }
  choose_framing(out, asked);
  if (must_close_)
    out.append("connection: close\r\n");
  else if (asked.keep_alive_10)
    out.append("connection: keep-alive\r\n");
  out.append("\r\n");
}

void Http1Response::write(Buffer& out, size_t room, const Asked& asked, std::string_view date) {
  if (status_ == 0 || end_written_) return;
  if (!head_written_) write_head(out, asked, date);
  if (!end_written_) write_body(out, room, asked.trailers);
}

}  // namespace duplex::http
