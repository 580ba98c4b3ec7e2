#include "http/http2_session.h"

#include <algorithm>
#include <cstring>

namespace duplex::http {

Http2Session::Http2Session(Requests* requests, Loop& loop, Connected socket, const Limits& limits)
    : SocketIo(loop, socket.fd, std::move(socket.tls)),
      requests_(requests),
      role_(requests ? Role::kServer : Role::kClient),
      peer_(std::move(socket.peer)),
      limits_(limits),
      streams_(*this),
      decoder_(field_kind),
      preface_left_(requests ? kHttp2Preface : std::string_view()),
      resets_(1000, 33, loop.now()),
      control_(10'000, 1000, loop.now()) {}

Http2Session::~Http2Session() {
  second_goaway_.disarm();
  stall_.disarm();
}

bool Http2Session::start(std::string_view already) {
  if (!start_io()) {
    close_now(Status::resource_exhausted("the loop cannot watch one more socket"));
    return false;
  }
  const auto max_head = static_cast<uint32_t>(limits_.max_head);
  if (is_server()) {
    append_settings(out_, {{Setting::kMaxConcurrentStreams, static_cast<uint32_t>(limits_.max_streams)},
                           {Setting::kInitialWindowSize, kStreamWindow},
                           {Setting::kMaxHeaderListSize, max_head}});
  } else {
    out_.append(kHttp2Preface);
    append_settings(out_, {{Setting::kEnablePush, 0},
                           {Setting::kInitialWindowSize, kStreamWindow},
                           {Setting::kMaxHeaderListSize, max_head}});
  }
  append_window_update(out_, 0, kConnectionWindow - kDefaultInitialWindow);
  credit_ = kConnectionWindow;
  want_write();
  if (!already.empty()) on_octets(already.data(), already.size());
  return true;
}

void Http2Session::recycle(Http2Stream& stream) {
  if (stream.in_use_ || stream.open_ || stream.queued_) return;
  if (stream.owed_) took(stream, stream.owed_);  // of one that nobody took
  streams_.recycle(stream);
  note_change();
}

void Http2Session::close_stream(Http2Stream& stream, uint32_t code) {
  streams_.forget(stream);
  stream.SendTag::unlink();
  stream.closed(code);
  recycle(stream);
  if (going_away_) want_write();  // it may have been the last
}

void Http2Session::reset(Http2Stream& stream, uint32_t code) {
  if (over_) return;
  append_rst_stream(out_, stream.id_, code);
  if (is_server()) past_.reset_by_us(stream.id_);
  close_stream(stream, code);
  want_write();
}

bool Http2Session::stream_error(uint32_t id, Http2Error code) {
  if (!resets_.spend(loop_.now())) return broken(Http2Error::kEnhanceYourCalm, "too many streams that break the rules");
  if (Http2Stream* stream = streams_.find(id)) {
    reset(*stream, static_cast<uint32_t>(code));
  } else {
    append_rst_stream(out_, id, static_cast<uint32_t>(code));
    if (is_server()) past_.reset_by_us(id);
    want_write();
  }
  return true;
}

bool Http2Session::broken(Http2Error code, std::string_view how) {
  if (over_) return false;
  if (!ending_) append_goaway(out_, last_peer_id_, static_cast<uint32_t>(code), how);
  if (!write_blocked()) write_out();
  close_now(Status::internal("HTTP/2 broken by the peer: " + std::string(how) + " (" +
                             error_name(static_cast<uint32_t>(code)) + ")"));
  return false;
}

void Http2Session::took(Http2Stream& stream, size_t count) {
  count = std::min(count, stream.owed_);
  if (count == 0) return;
  stream.owed_ -= count;
  unread_ -= std::min(unread_, count);
  if (over_) return;
  if (held_credit_ && unread_ <= limits_.max_unread / 2) return_credit(std::exchange(held_credit_, 0));
  if (!stream.open_ || stream.in_ended_) return;
  stream.returned_ += count;
  stream.taken_ += count;
  size_t more = 0;
  // A reader that has kept up with a whole window gets a larger one (law 5).
  if (stream.taken_ >= 2 * stream.window_ && stream.window_ < kLargestStreamWindow && stream.owed_ == 0) {
    more = stream.window_;
    stream.window_ *= 2;
    stream.taken_ = 0;
  }
  if (more == 0 && stream.returned_ < stream.window_ / 2) return;
  more += std::exchange(stream.returned_, 0);
  stream.credit_ += static_cast<int64_t>(more);
  append_window_update(out_, stream.id_, static_cast<uint32_t>(more));
  want_write();
}

void Http2Session::return_credit(size_t count) {
  returned_ += count;
  if (returned_ < kConnectionWindow / 2) return;
  credit_ += static_cast<int64_t>(returned_);
  append_window_update(out_, 0, static_cast<uint32_t>(std::exchange(returned_, 0)));
  want_write();
}

void Http2Session::on_eof(int error) {
  close_now(Status::unavailable(error ? "the connection was lost: " + std::string(std::strerror(error))
                                      : "the connection was closed by the other side"));
}

void Http2Session::close_now(Status why) {
  if (over_) return;
  over_ = true;
  draining_ = true;
  why_over_ = why;
  const uint64_t left = octets_sent();
  close_socket();
  streams_.for_each_open([&](Http2Stream& stream) {
    streams_.forget(stream);
    stream.SendTag::unlink();
    const bool whole = stream.in_ended_ && !is_server();
    if (!whole) {
      stream.error_ = why;
      stream.unsent_ = !is_server() && left < stream.head_end_;
      if (stream.context_) stream.context_->cancel(Status::cancelled("the caller has gone: " + why.message()));
    }
    stream.arrived_.notify_all();
    stream.room_.notify_all();
    recycle(stream);
  });
  note_change();
  ended_.notify_all();
}

void Http2Session::drain() {
  if (draining_ || over_) return;
  draining_ = true;
  if (is_server()) {
    append_goaway(out_, kLargestId, static_cast<uint32_t>(Http2Error::kNoError), {});
    append_ping(out_, false, std::string_view("\0\0\0\0\0\0\0\0", 8));
    loop_.arm(second_goaway_, after(loop_.now(), std::chrono::seconds(1)));
  }
  want_write();
  note_change();
}

void Http2Session::second_goaway() {
  second_goaway_.disarm();
  if (over_ || said_last_) return;
  going_away_ = said_last_ = true;
  append_goaway(out_, last_peer_id_, static_cast<uint32_t>(Http2Error::kNoError), {});
  want_write();
}

void Http2Session::end(uint32_t code) {
  if (over_ || ending_) return;
  append_goaway(out_, last_peer_id_, code, {});
  ending_ = draining_ = said_last_ = true;
  want_write();
}

Http2Stream* Http2Session::submit(const Head& head, bool end) {
  if (over_ || draining_) return nullptr;
  if (next_id_ > kLargestId) {
    drain();
    return nullptr;
  }
  Http2Stream& stream = streams_.make(next_id_);
  next_id_ += 2;
  const size_t at = begin_headers();
  add_field(":method", head.method);
  add_field(":scheme", head.scheme);
  add_field(":authority", head.authority);
  add_field(":path", head.target);
  add_fields(head.fields);
  finish_headers(at, stream.id_, end);
  stream.head_end_ = octets_sent() + out_.size();
  stream.in_use_ = stream.out_head_sent_ = true;
  stream.asked_head_ = head.method == "HEAD";
  stream.out_ended_ = stream.sent_end_ = end;
  want_write();
  return &stream;
}

void Http2Session::release(Http2Stream& stream) {
  stream.context_ = nullptr;
  if (stream.open_) {
    // Done before the other side was: what it still sends is of no use to anyone.
    const bool finished = stream.out_ended_ && (is_server() || stream.in_ended_);
    if (!finished)
      stream.reset(is_server() ? Reset::kInternalError : Reset::kCancel);
    else if (!stream.in_ended_ && stream.sent_end_)
      reset(stream, static_cast<uint32_t>(Http2Error::kNoError));
    else
      stream.reset_after_end_ = !stream.in_ended_;
  }
  if (stream.owed_) took(stream, stream.owed_);
  stream.in_use_ = false;
  if (stream.open_ && stream.has_more()) watch_for_stall();
  recycle(stream);
}

}  // namespace duplex::http
