// What leaves an HTTP/2 connection.
#include <algorithm>

#include "http/http2_session.h"

namespace duplex::http {
namespace {

constexpr size_t kTurnWrite = 256 * 1024;

// Blanks around a value are no part of it (RFC 9110 section 5.5), and a peer resets the stream that brings them.
std::string_view trimmed(std::string_view value) {
  auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  return value;
}

}  // namespace

void Http2Session::end_of_turn() {
  if (over_ || write_blocked()) return;
  fill();
  if (!out_.empty()) write_out();
  if (!over_ && write_blocked()) watch_for_stall();
  if (over_ || !all_written()) return;
  acks_waiting_ = 0;
  if (!ready_.empty() && !ending_) return want_write();
  if (ending_ || (going_away_ && streams_.open() == 0)) close_now(Status::unavailable("the connection has ended"));
}

// A frame of each stream in turn, until the turn's write is large enough.
void Http2Session::fill() {
  while (!ready_.empty() && out_.size() < kTurnWrite && !ending_) send_from(ready_.pop_front());
}

void Http2Session::has_more(Http2Stream& stream) {
  if (!stream.SendTag::linked() && (stream.send_window_ > 0 || stream.out_.empty())) ready_.push_back(stream);
  want_write();
}

void Http2Session::send_from(Http2Stream& stream) {
  const size_t left = stream.out_.size() - stream.out_at_;
  if (left > 0) {
    if (stream.send_window_ <= 0) return;  // its WINDOW_UPDATE makes it ready again
    if (send_window_ <= 0) return starved_.push_back(stream);
    const auto window = static_cast<size_t>(std::min(stream.send_window_, send_window_));
    const size_t count = std::min({left, window, kMaxFrameSize});
    const bool last = count == left && stream.out_ended_;
    const bool end = last && stream.out_trailers_.empty();
    send_data(stream, count, end);
    if (end) return sent_end(stream);
    if (!last) {
      if (count < left) ready_.push_back(stream);
      return;
    }
  }
  if (!stream.out_ended_) return;
  if (stream.out_trailers_.empty())
    send_data(stream, 0, true);
  else
    send_trailers(stream);
  sent_end(stream);
}

void Http2Session::send_data(Http2Stream& stream, size_t count, bool end) {
  char* at = out_.extend(kFrameHeadSize + count);
  FrameHead{static_cast<uint32_t>(count), FrameType::kData, end ? kFlagEndStream : uint8_t{0}, stream.id_}.write(at);
  if (count == 0) return;
  std::memcpy(at + kFrameHeadSize, stream.out_.data() + stream.out_at_, count);
  send_window_ -= static_cast<int64_t>(count);
  stream.send_window_ -= static_cast<int64_t>(count);
  stream.took_from_body(count);
}

void Http2Session::send_trailers(Http2Stream& stream) {
  const size_t at = out_.size();
  out_.extend(kFrameHeadSize);
  add_block(0, stream.out_trailers_);
  finish_headers(at, stream.id_, true);
}

void Http2Session::sent_end(Http2Stream& stream) {
  stream.sent_end_ = true;
  if (stream.in_ended_)
    close_stream(stream, static_cast<uint32_t>(Http2Error::kNoError));
  else if (stream.reset_after_end_)
    reset(stream, static_cast<uint32_t>(Http2Error::kNoError));
}

void Http2Session::send_head(Http2Stream& stream, int status, const Metadata& fields, bool end) {
  const size_t at = out_.size();
  out_.extend(kFrameHeadSize);
  add_block(status, fields);
  finish_headers(at, stream.id_, end);
  if (end) sent_end(stream);
  want_write();
}

void Http2Session::send_interim(Http2Stream& stream, int status, const Metadata& fields) {
  send_head(stream, status, fields, false);
}

size_t Http2Session::begin_headers() {
  const size_t at = out_.size();
  out_.extend(kFrameHeadSize);
  encoder_.begin(out_);
  return at;
}

void Http2Session::add_status(int status) {
  const char digits[3] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
                          static_cast<char>('0' + status % 10)};
  add_field(":status", {digits, 3});
}

void Http2Session::add_field(std::string_view name, std::string_view value) {
  encoder_.field(out_, name, value, hpack_indexing(name, value));
}

void Http2Session::add_fields(const Metadata& fields) {
  for (Metadata::Entry e : fields) add_field(e.name, trimmed(e.value));
}

// A response's head, or trailers (status 0).
void Http2Session::add_block(int status, const Metadata& fields) {
  const void* constant = fields.constant_identity();
  if (constant)
    for (const KnownBlock& known : known_blocks_)
      if (known.fields == constant && known.status == status && known.changes == encoder_.changes())
        return out_.append({known.octets, known.size});
  const size_t at = out_.size();
  const uint64_t before = encoder_.changes();
  encoder_.begin(out_);
  if (status) add_status(status);
  add_fields(fields);
  const size_t size = out_.size() - at;
  if (!constant || encoder_.changes() != before || size > sizeof KnownBlock::octets) return;
  KnownBlock& known = known_blocks_[next_known_++ % std::size(known_blocks_)];
  known.fields = constant;
  known.status = status;
  known.changes = before;
  known.size = static_cast<uint8_t>(size);
  std::memcpy(known.octets, out_.data() + at, size);
}

// The head of the frame whose payload stands after it; a block larger than a frame goes on in CONTINUATION.
void Http2Session::finish_headers(size_t at, uint32_t id, bool end) {
  const size_t size = out_.size() - at - kFrameHeadSize;
  const uint8_t end_stream = end ? kFlagEndStream : uint8_t{0};
  if (size <= kMaxFrameSize) {
    const auto flags = static_cast<uint8_t>(kFlagEndHeaders | end_stream);
    FrameHead{static_cast<uint32_t>(size), FrameType::kHeaders, flags, id}.write(out_.data() + at);
    return;
  }
  const std::string block(out_.view().substr(at + kFrameHeadSize));
  out_.truncate(at);
  for (size_t from = 0; from < size; from += kMaxFrameSize) {
    const size_t count = std::min(kMaxFrameSize, size - from);
    const bool first = from == 0, last = from + count == size;
    const auto flags = static_cast<uint8_t>((last ? kFlagEndHeaders : 0) | (first ? end_stream : 0));
    char* to = out_.extend(kFrameHeadSize + count);
    FrameHead{static_cast<uint32_t>(count), first ? FrameType::kHeaders : FrameType::kContinuation, flags, id}.write(
        to);
    std::memcpy(to + kFrameHeadSize, block.data() + from, count);
  }
}

}  // namespace duplex::http
