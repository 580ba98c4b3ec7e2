#include "http/http2_stream.h"

#include "http/http2_session.h"

namespace duplex::http {
namespace {

Status reset_status(uint32_t code) {
  // gRPC's "HTTP2 Transport Mapping" of error codes; other protocols take the same.
  std::string text = "the stream was reset: " + error_name(code);
  switch (static_cast<Http2Error>(code)) {
    case Http2Error::kRefusedStream:
      return Status::unavailable(std::move(text));
    case Http2Error::kCancel:
      return Status::cancelled(std::move(text));
    case Http2Error::kEnhanceYourCalm:
      return Status::resource_exhausted(std::move(text));
    case Http2Error::kInadequateSecurity:
      return Status::permission_denied(std::move(text));
    default:
      return Status::internal(std::move(text));
  }
}

}  // namespace

const std::string& Http2Stream::peer() const { return session_.peer_name(); }

void Http2Stream::clear() {
  has_head_ = in_ended_ = out_head_sent_ = out_ended_ = unsent_ = false;
  reset_code_ = 0;
  in_head_.status = 0;  // its texts stay: mostly the next request's are the same
  in_head_.fields.clear();
  in_body_.clear();
  if (!in_trailers_.empty()) in_trailers_ = Metadata();
  error_ = Status();
  unsent_octets_ = 0;
  context_ = nullptr;
  in_use_ = queued_ = sent_end_ = reset_after_end_ = asked_head_ = false;
  head_end_ = 0;
  out_.clear();
  out_at_ = 0;
  if (!out_trailers_.empty()) out_trailers_ = Metadata();
  send_window_ = session_.peer_initial_window();
  credit_ = static_cast<int64_t>(Http2Session::kStreamWindow);
  window_ = Http2Session::kStreamWindow;
  owed_ = returned_ = taken_ = left_before_ = 0;
  received_ = 0;
  length_.reset();
}

void Http2Stream::shrink() {
  for (Buffer* buffer : {&in_body_, &out_})
    if (buffer->capacity() > kKeptCapacity) *buffer = Buffer();
}

// A text that is the same as in the stream's last use is left as it is.
void Http2Stream::take_pseudo_field(FieldKind kind, std::string_view value) {
  auto set = [&](std::string& text) {
    if (text != value) text = value;
  };
  switch (kind) {
    case FieldKind::kPath:
      return set(in_head_.target);
    case FieldKind::kMethod:
      return set(in_head_.method);
    case FieldKind::kScheme:
      return set(in_head_.scheme);
    case FieldKind::kAuthority:
      return set(in_head_.authority);
    case FieldKind::kStatus:  // three digits
      in_head_.status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
      return;
    default:
      return;
  }
}

void Http2Stream::drop_stale_pseudo_fields(const FieldRules& rules) {
  if (!rules.has(FieldKind::kMethod)) in_head_.method.clear();
  if (!rules.has(FieldKind::kPath)) in_head_.target.clear();
  if (!rules.has(FieldKind::kAuthority)) in_head_.authority.clear();
  if (!rules.has(FieldKind::kScheme)) in_head_.scheme.clear();
}

void Http2Stream::closed(uint32_t code) {
  unsent_octets_ = 0;
  const bool server = session_.is_server();
  const bool whole = in_ended_ && (!server || (out_ended_ && code == 0));
  if (!whole) {
    reset_code_ = code;
    unsent_ = code == static_cast<uint32_t>(Http2Error::kRefusedStream) && !has_head_;
    if (error_.is_ok()) error_ = reset_status(code);
    if (context_) context_->cancel(Status::cancelled("the caller has gone: " + error_.message()));
  }
  arrived_.notify_all();
  room_.notify_all();
}

void Http2Stream::consumed(size_t count) { session_.took(*this, count); }

void Http2Stream::send_head(int status, const Metadata& fields, bool end) {
  if (out_head_sent_ || !open_) return;
  out_head_sent_ = true;
  if (in_head_.method == "HEAD") end = true;  // a HEAD has no body in its answer: send() drops it from here on
  out_ended_ |= end;
  session_.send_head(*this, status, fields, end);
}

void Http2Stream::send(std::string_view octets) {
  if (!open_ || out_ended_) return;
  out_.append(octets);
  unsent_octets_ = out_.size() - out_at_;
  session_.has_more(*this);
}

void Http2Stream::send_end(const Metadata& trailers) {
  if (!open_ || out_ended_) return;
  out_ended_ = true;
  if (!trailers.empty()) out_trailers_ = trailers;
  session_.has_more(*this);
}

void Http2Stream::reset(Reset code) {
  if (!open_) return;
  out_ended_ = true;
  session_.reset(*this, static_cast<uint32_t>(code));
}

void Http2Stream::send_interim(int status, const Metadata& fields) {
  if (open_ && !out_head_sent_) session_.send_interim(*this, status, fields);
}

void Http2Stream::took_from_body(size_t count) {
  out_at_ += count;
  if (out_at_ == out_.size()) {
    out_.clear();
    out_at_ = 0;
  } else if (out_at_ >= kUnsentLimit && out_at_ >= out_.size() - out_at_) {  // moves each octet once at most
    out_.consume(out_at_);
    out_at_ = 0;
  }
  const bool was_full = unsent_octets_ >= kUnsentLimit;
  unsent_octets_ = out_.size() - out_at_;
  if (was_full && unsent_octets_ < kUnsentLimit) room_.notify_all();
}

}  // namespace duplex::http
