#include "http/http2_stream.h"

#include <algorithm>

#include "http/http2_session.h"

namespace duplex::http {
namespace {

Status reset_status(uint32_t code) {
  // gRPC's "HTTP2 Transport Mapping" of error codes; other protocols take the same.
  std::string text = std::string("the stream was reset: ") + nghttp2_http2_strerror(code);
  switch (code) {
    case NGHTTP2_REFUSED_STREAM:
      return Status::unavailable(std::move(text));
    case NGHTTP2_CANCEL:
      return Status::cancelled(std::move(text));
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return Status::resource_exhausted(std::move(text));
    case NGHTTP2_INADEQUATE_SECURITY:
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
  pseudo_fields_ = 0;
  in_head_.status = 0;  // its texts stay: mostly the next request's are the same
  in_head_.fields.clear();
  in_body_.clear();
  in_trailers_.clear();
  error_ = Status();
  unsent_octets_ = 0;
  id_ = -1;
  context_ = nullptr;
  in_use_ = network_closed_ = deferred_ = queued_ = head_pending_ = head_left_ = reset_ = reset_after_end_ = false;
  out_.clear();
  out_at_ = 0;
  out_trailers_ = Metadata();
  owed_ = taken_ = 0;
  window_ = Http2Session::kStreamWindow;
}

void Http2Stream::shrink() {
  for (Buffer* buffer : {&in_body_, &out_})
    if (buffer->capacity() > kKeptCapacity) *buffer = Buffer();
}

// nghttp2 has checked that name and value are right for a request or a response. A text that is the same as in the
// stream's last use is left as it is.
void Http2Stream::take_pseudo_field(std::string_view name, std::string_view value) {
  auto set = [&](std::string& text, uint8_t which) {
    if (text != value) text = value;
    pseudo_fields_ |= which;
  };
  switch (name.size()) {
    case 5:
      return set(in_head_.target, kTarget);  // :path
    case 7:
      if (name[1] == 'm') return set(in_head_.method, kMethod);                             // :method
      if (name[2] == 'c') return set(in_head_.scheme, kScheme);                             // :scheme
      in_head_.status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');  // :status
      return;
    case 10:
      return set(in_head_.authority, kAuthority);  // :authority
    default:
      return;
  }
}

void Http2Stream::drop_stale_pseudo_fields() {
  if (!(pseudo_fields_ & kMethod)) in_head_.method.clear();
  if (!(pseudo_fields_ & kTarget)) in_head_.target.clear();
  if (!(pseudo_fields_ & kAuthority)) in_head_.authority.clear();
  if (!(pseudo_fields_ & kScheme)) in_head_.scheme.clear();
}

void Http2Stream::closed(uint32_t code) {
  network_closed_ = true;
  unsent_octets_ = 0;
  bool server = session_.role_ == Http2Session::Role::kServer;
  bool whole = in_ended_ && (!server || (out_ended_ && code == NGHTTP2_NO_ERROR));
  if (!whole) {
    reset_code_ = code;
    unsent_ = code == NGHTTP2_REFUSED_STREAM && !has_head_;
    if (error_.is_ok()) error_ = reset_status(code);
    if (context_) context_->cancel(Status::cancelled("the caller has gone: " + error_.message()));
  }
  arrived_.notify_all();
  room_.notify_all();
}

void Http2Stream::consumed(size_t count) { session_.took(*this, count); }

void Http2Stream::send_head(int status, const Metadata& fields, bool end) {
  if (out_head_sent_ || network_closed_) return;
  out_head_sent_ = true;
  if (in_head_.method == "HEAD") end = true;  // a HEAD has no body in its answer: send() drops it from here on
  out_ended_ |= end;
  session_.submit_head(*this, status, fields, end);
}

void Http2Stream::send(std::string_view octets) {
  if (network_closed_ || out_ended_) return;
  out_.append(octets);
  unsent_octets_ = out_.size() - out_at_;
  resume_sending();
}

void Http2Stream::send_end(const Metadata& trailers) {
  if (network_closed_ || out_ended_) return;
  out_ended_ = true;
  out_trailers_ = trailers;
  resume_sending();
}

void Http2Stream::resume_sending() {
  if (deferred_) {
    deferred_ = false;
    nghttp2_session_resume_data(session_.session_, id_);
  }
  session_.want_write();
}

void Http2Stream::reset(Reset code) {
  if (network_closed_ || id_ < 0 || session_.over_ || std::exchange(reset_, true)) return;
  out_ended_ = true;
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, static_cast<uint32_t>(code));
  session_.want_write();
}

void Http2Stream::send_interim(int status, const Metadata& fields) {
  if (network_closed_ || out_head_sent_) return;
  std::string text = std::to_string(status);
  std::vector<nghttp2_nv> nv;
  auto field = [&](std::string_view n, std::string_view v) {
    nv.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(n.data())),
                  reinterpret_cast<uint8_t*>(const_cast<char*>(v.data())), n.size(), v.size(), NGHTTP2_NV_FLAG_NONE});
  };
  field(":status", text);
  for (Metadata::Entry e : fields) field(e.name, e.value);
  nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, nv.data(), nv.size(), nullptr);
  session_.want_write();
}

size_t Http2Stream::pull(uint8_t* to, size_t room, uint32_t* flags) {
  size_t n = std::min(room, out_.size() - out_at_);
  if (n) std::memcpy(to, out_.data() + out_at_, n);
  out_at_ += n;
  if (out_at_ == out_.size()) {
    out_.clear();
    out_at_ = 0;
    if (out_ended_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!out_trailers_.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        session_.submit_trailers(*this, out_trailers_);
      }
    } else {
      deferred_ = n == 0;
    }
  } else if (out_at_ >= kUnsentLimit && out_at_ >= out_.size() - out_at_) {  // moves each octet once at most
    out_.consume(out_at_);
    out_at_ = 0;
  }
  bool was_full = unsent_octets_ >= kUnsentLimit;
  unsent_octets_ = out_.size() - out_at_;
  if (was_full && unsent_octets_ < kUnsentLimit) room_.notify_all();
  return n;
}

}  // namespace duplex::http
