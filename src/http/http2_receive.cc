// What the peer's frames do to an HTTP/2 connection (RFC 9113 sections 5 and 6).
#include <algorithm>

#include "http/http1_text.h"
#include "http/http2_session.h"

namespace duplex::http {
namespace {

// Of a header block in pieces (CVE-2024-28182 and its kin): a head of 64 KiB is four whole frames.
constexpr size_t kMaxBlockFrames = 32;
// Of our answers to SETTINGS and PING that the peer has not taken (CVE-2019-9512, 9515).
constexpr size_t kMaxAcksWaiting = 1000;
// What may wait for a peer that does not read before it is not read itself. DATA alone waits with less: it is put into
// frames when there is room.
constexpr size_t kMaxUntaken = 1 << 20;
constexpr uint32_t kUnlimited = UINT32_MAX;

bool same_host(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return x == y || (token_lower(x) != 0 && token_lower(x) == token_lower(y)); });
}

uint16_t read_u16(const char* from) {
  return static_cast<uint16_t>(static_cast<unsigned char>(from[0]) << 8 | static_cast<unsigned char>(from[1]));
}

}  // namespace

void Http2Session::on_octets(const char* data, size_t size) {
  octets_in_ += size;
  std::string_view octets(data, size);
  if (!over_ && take_preface(octets)) {
    reader_.feed(octets);
    for (bool go = true; go;) {
      FrameHead head;
      std::string_view payload;
      switch (reader_.next(head, payload)) {
        case FrameReader::Step::kFrame:
          go = on_frame(head, payload);
          break;
        case FrameReader::Step::kMore:
          go = false;
          break;
        case FrameReader::Step::kTooLarge:
          go = broken(Http2Error::kFrameSizeError, "a frame of more than 16384 octets");
      }
    }
    if (due_credit_ && !over_) return_credit(std::exchange(due_credit_, 0));
  }
  start_streams();
  // Who asks and asks and reads no answer is not listened to until it does (CVE-2019-9517). A client must go on
  // reading, lest two sides wait for each other.
  if (is_server() && write_blocked() && out_.size() > kMaxUntaken) pause_reading();
}

bool Http2Session::take_preface(std::string_view& octets) {
  if (preface_left_.empty()) return true;
  const size_t count = std::min(preface_left_.size(), octets.size());
  if (!preface_left_.starts_with(octets.substr(0, count)))
    return broken(Http2Error::kProtocolError, "the connection does not begin with HTTP/2's preface");
  preface_left_.remove_prefix(count);
  octets.remove_prefix(count);
  return true;
}

// Streams start when the whole batch has been parsed (law 4).
void Http2Session::start_streams() {
  for (size_t i = 0; i < starting_.size(); ++i) {
    Http2Stream& stream = *starting_[i];
    stream.queued_ = false;
    if (stream.open_)
      requests_->on_request(stream);
    else
      recycle(stream);
  }
  starting_.clear();
}

bool Http2Session::on_frame(const FrameHead& head, std::string_view payload) {
  if (!had_settings_ && (head.type != FrameType::kSettings || (head.flags & kFlagAck)))
    return broken(Http2Error::kProtocolError, "the first frame is not SETTINGS");
  if (block_stream_ && (head.type != FrameType::kContinuation || head.stream != block_stream_))
    return broken(Http2Error::kProtocolError, "a header block is interrupted");
  switch (head.type) {
    case FrameType::kData:
      return on_data(head, payload);
    case FrameType::kHeaders:
      return on_headers(head, payload);
    case FrameType::kPriority:
      return on_priority(head, payload);
    case FrameType::kRstStream:
      return on_rst_stream(head, payload);
    case FrameType::kSettings:
      return on_settings(head, payload);
    case FrameType::kPushPromise:  // no client may send one, and we let no server
      return broken(Http2Error::kProtocolError, "PUSH_PROMISE");
    case FrameType::kPing:
      return on_ping(head, payload);
    case FrameType::kGoaway:
      return on_goaway(head, payload);
    case FrameType::kWindowUpdate:
      return on_window_update(head, payload);
    case FrameType::kContinuation:
      return on_continuation(head, payload);
  }
  return spend_on_control();  // a type that we do not know (section 4.1)
}

bool Http2Session::is_idle(uint32_t id) const {
  const bool of_client = id & 1;
  if (is_server()) return !of_client || id > last_peer_id_;
  return !of_client || id >= next_id_;
}

bool Http2Session::unpad(const FrameHead& head, std::string_view& payload) {
  if (!(head.flags & kFlagPadded)) return true;
  const size_t padding = payload.empty() ? 1 : static_cast<unsigned char>(payload[0]);
  if (padding >= payload.size()) return broken(Http2Error::kProtocolError, "padding as long as the payload");
  payload = payload.substr(1, payload.size() - 1 - padding);
  return true;
}

// Section 5.1, "closed".
bool Http2Session::on_frame_of_the_past(const FrameHead& head) {
  if (is_idle(head.stream)) {
    if (said_last_ && (head.stream & 1)) return spend_on_control();  // after our last GOAWAY
    return broken(Http2Error::kProtocolError, "a frame of a stream that was never opened");
  }
  if (!is_server()) return true;  // we may have reset it
  switch (past_.of(head.stream)) {
    case Http2Past::What::kResetByUs:
      return spend_on_control();
    case Http2Past::What::kSkipped:
      return broken(Http2Error::kProtocolError, "a stream with an id below that of one before");
    case Http2Past::What::kClosed:
      return broken(Http2Error::kStreamClosed, "a frame of a stream that has ended");
  }
  return true;
}

// END_STREAM has come. False: broken.
bool Http2Session::ended_by_peer(Http2Stream& stream) {
  if (!stream.length_is_right()) return stream_error(stream.id_, Http2Error::kProtocolError);
  stream.in_ended_ = true;
  if (stream.has_head_) stream.arrived_.notify_all();
  if (stream.sent_end_) close_stream(stream, static_cast<uint32_t>(Http2Error::kNoError));
  return true;
}

bool Http2Session::on_data(const FrameHead& head, std::string_view payload) {
  if (head.stream == 0) return broken(Http2Error::kProtocolError, "DATA on stream 0");
  if (!unpad(head, payload)) return false;
  credit_ -= head.size;
  if (credit_ < 0) return broken(Http2Error::kFlowControlError, "more DATA than the connection's window");
  Http2Stream* stream = streams_.find(head.stream);
  if (!stream) {
    due_credit_ += head.size;
    return on_frame_of_the_past(head);
  }
  const bool end = head.flags & kFlagEndStream;
  if (payload.empty() && !end && !spend_on_control()) return false;
  stream->credit_ -= head.size;
  stream->received_ += payload.size();
  const bool too_long = stream->length_ && stream->received_ > *stream->length_;
  if (stream->in_ended_ || stream->credit_ < 0 || !stream->has_head_ || too_long) {
    due_credit_ += head.size;
    return stream_error(head.stream, stream->in_ended_     ? Http2Error::kStreamClosed
                                     : stream->credit_ < 0 ? Http2Error::kFlowControlError
                                                           : Http2Error::kProtocolError);
  }
  if (!payload.empty()) control_.earn();
  const size_t padding = head.size - payload.size();
  due_credit_ += padding;
  stream->returned_ += padding;
  if (!stream->in_use_ && !stream->queued_) {  // nobody will read it
    due_credit_ += payload.size();
    stream->returned_ += payload.size();
  } else if (!payload.empty()) {
    stream->in_body_.append(payload);
    stream->owed_ += payload.size();
    unread_ += payload.size();
    (unread_ > limits_.max_unread ? held_credit_ : due_credit_) += payload.size();
    if (!end) stream->arrived_.notify_all();
  }
  return !end || ended_by_peer(*stream);
}

bool Http2Session::on_headers(const FrameHead& head, std::string_view payload) {
  if (head.stream == 0) return broken(Http2Error::kProtocolError, "HEADERS on stream 0");
  if (!unpad(head, payload)) return false;
  if (head.flags & kFlagPriority) {
    if (payload.size() < 5) return broken(Http2Error::kFrameSizeError, "HEADERS without its priority");
    if ((read_u32(payload.data()) & kLargestId) == head.stream)
      return broken(Http2Error::kProtocolError, "a stream that depends on itself");
    payload.remove_prefix(5);
  }
  const bool end = head.flags & kFlagEndStream;
  if (head.flags & kFlagEndHeaders) return on_block(head.stream, end, payload);
  block_stream_ = head.stream;
  block_end_ = end;
  block_frames_ = 1;
  block_.append(payload);
  return true;
}

bool Http2Session::on_continuation(const FrameHead& head, std::string_view payload) {
  if (!block_stream_) return broken(Http2Error::kProtocolError, "CONTINUATION of nothing");
  if (++block_frames_ > kMaxBlockFrames || block_.size() + payload.size() > limits_.max_head + kMaxFrameSize)
    return broken(Http2Error::kEnhanceYourCalm, "a header block that does not end");
  block_.append(payload);
  if (!(head.flags & kFlagEndHeaders)) return true;
  Buffer block = std::move(block_);
  block_ = Buffer();
  return on_block(std::exchange(block_stream_, 0), block_end_, block.view());
}

bool Http2Session::on_block(uint32_t id, bool end, std::string_view block) {
  if (Http2Stream* stream = streams_.find(id)) return on_later_block(*stream, end, block);
  if (is_server() && (id & 1) && id > last_peer_id_ && !said_last_) return on_request_block(id, end, block);
  // The table of fields must stay the peer's, whatever becomes of them.
  FieldRules rules(FieldRules::Part::kTrailers);
  if (decode(block, rules, nullptr, nullptr) == Decoded::kBroken) return false;
  return on_frame_of_the_past({.size = 0, .type = FrameType::kHeaders, .flags = 0, .stream = id});
}

bool Http2Session::on_request_block(uint32_t id, bool end, std::string_view block) {
  past_.opened(id, last_peer_id_);
  last_peer_id_ = id;
  FieldRules rules(FieldRules::Part::kRequest);
  // A stream that was reset counts until its handler has returned (CVE-2023-44487).
  if (streams_.open() >= limits_.max_streams || streams_.live() >= 2 * limits_.max_streams) {
    if (decode(block, rules, nullptr, nullptr) == Decoded::kBroken) return false;
    return stream_error(id, Http2Error::kRefusedStream);
  }
  Http2Stream& stream = streams_.make(id);
  const Decoded decoded = decode(block, rules, &stream, &stream.in_head_.fields);
  if (decoded == Decoded::kBroken) return false;
  stream.drop_stale_pseudo_fields(rules);
  if (decoded == Decoded::kTooLarge) {  // section 10.5.1
    stream.out_head_sent_ = stream.out_ended_ = true;
    send_head(stream, 431, Metadata(), true);
    if (stream.open_) reset(stream, static_cast<uint32_t>(Http2Error::kNoError));
    return resets_.spend(loop_.now()) || broken(Http2Error::kEnhanceYourCalm, "too many heads that are too large");
  }
  bool right = decoded == Decoded::kRight;
  if (right && rules.has(FieldKind::kHost) && rules.has(FieldKind::kAuthority))  // section 8.3.1
    right = same_host(stream.in_head_.fields.find("host").value_or(""), stream.in_head_.authority);
  if (!right) return stream_error(id, Http2Error::kProtocolError);
  control_.earn();
  stream.length_ = rules.content_length();
  stream.has_head_ = true;
  if (end) {
    if (!stream.length_is_right()) return stream_error(id, Http2Error::kProtocolError);
    stream.in_ended_ = true;
  }
  stream.queued_ = true;
  starting_.push_back(&stream);
  return true;
}

// A response's head, an interim head, or trailers.
bool Http2Session::on_later_block(Http2Stream& stream, bool end, std::string_view block) {
  const bool trailers = stream.has_head_;
  FieldRules rules(trailers ? FieldRules::Part::kTrailers : FieldRules::Part::kResponse);
  if (!trailers) {
    stream.in_head_.status = 0;
    stream.in_head_.fields = Metadata();
  }
  Metadata& fields = trailers ? stream.in_trailers_ : stream.in_head_.fields;
  const Decoded decoded = decode(block, rules, stream.in_ended_ ? nullptr : &stream, &fields);
  if (decoded == Decoded::kBroken) return false;
  if (stream.in_ended_) return stream_error(stream.id_, Http2Error::kStreamClosed);
  if (decoded == Decoded::kTooLarge) {
    stream.error_ = Status::resource_exhausted(std::string(trailers ? "the trailers are" : "the head is") +
                                               " larger than " + std::to_string(limits_.max_head) + " octets");
    return stream_error(stream.id_, Http2Error::kEnhanceYourCalm);
  }
  const bool interim = !trailers && stream.in_head_.status < 200;
  if (decoded == Decoded::kMalformed || (trailers && !end) || (interim && end))
    return stream_error(stream.id_, Http2Error::kProtocolError);
  if (interim) return spend_on_control();
  control_.earn();
  if (!trailers) {
    const int status = stream.in_head_.status;
    stream.has_head_ = true;
    if (!stream.asked_head_ && status != 204 && status != 304) stream.length_ = rules.content_length();
    if (!end) stream.arrived_.notify_all();
  }
  return !end || ended_by_peer(stream);
}

Http2Session::Decoded Http2Session::decode(std::string_view block, FieldRules& rules, Http2Stream* stream,
                                           Metadata* fields) {
  decoder_.begin(block);
  bool malformed = false;
  size_t octets = 0;
  HpackField field;
  for (;;) {
    const HpackDecoder::Step step = decoder_.next(field);
    if (step == HpackDecoder::Step::kEnd) break;
    if (step == HpackDecoder::Step::kError) {
      broken(Http2Error::kCompressionError, "a header block that cannot be decoded");
      return Decoded::kBroken;
    }
    octets += field.name.size() + field.value.size() + 32;
    if (!stream || malformed || octets > limits_.max_head) continue;
    const auto kind = static_cast<FieldKind>(field.mark);
    if (!rules.add(kind, field.value))
      malformed = true;
    else if (field.name[0] == ':')
      stream->take_pseudo_field(kind, field.value);
    else
      fields->add(field.name, field.value);
  }
  if (octets > limits_.max_head) return Decoded::kTooLarge;
  return malformed || !rules.complete() ? Decoded::kMalformed : Decoded::kRight;
}

bool Http2Session::on_priority(const FrameHead& head, std::string_view payload) {
  if (head.stream == 0) return broken(Http2Error::kProtocolError, "PRIORITY on stream 0");
  if (payload.size() != 5) {
    if (!is_idle(head.stream)) return stream_error(head.stream, Http2Error::kFrameSizeError);
    return broken(Http2Error::kFrameSizeError, "PRIORITY that has not 5 octets");
  }
  if ((read_u32(payload.data()) & kLargestId) == head.stream)
    return broken(Http2Error::kProtocolError, "a stream that depends on itself");
  return spend_on_control();  // else without meaning (section 5.3.2)
}

bool Http2Session::on_rst_stream(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return broken(Http2Error::kFrameSizeError, "RST_STREAM that has not 4 octets");
  if (head.stream == 0 || is_idle(head.stream)) {
    if (head.stream && said_last_) return spend_on_control();
    return broken(Http2Error::kProtocolError, "RST_STREAM of no stream");
  }
  if (is_server() && !resets_.spend(loop_.now())) return broken(Http2Error::kEnhanceYourCalm, "too many resets");
  if (Http2Stream* stream = streams_.find(head.stream)) close_stream(*stream, read_u32(payload.data()));
  return true;
}

bool Http2Session::on_settings(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return broken(Http2Error::kProtocolError, "SETTINGS on a stream");
  if (head.flags & kFlagAck)
    return payload.empty() || broken(Http2Error::kFrameSizeError, "an acknowledgement of SETTINGS with a payload");
  if (payload.size() % 6 != 0) return broken(Http2Error::kFrameSizeError, "SETTINGS of broken length");
  if (!std::exchange(had_settings_, true)) peer_max_streams_ = kUnlimited;
  for (size_t at = 0; at < payload.size(); at += 6)
    if (!on_setting(static_cast<Setting>(read_u16(payload.data() + at)), read_u32(payload.data() + at + 2)))
      return false;
  if (!spend_on_control()) return false;
  if (++acks_waiting_ > kMaxAcksWaiting) return broken(Http2Error::kEnhanceYourCalm, "a flood of SETTINGS");
  append_settings_ack(out_);
  want_write();
  note_change();
  return true;
}

bool Http2Session::on_setting(Setting id, uint32_t value) {
  switch (id) {
    case Setting::kHeaderTableSize:
      encoder_.set_peer_table(value);
      return true;
    case Setting::kEnablePush:
      return value == 0 || (value == 1 && is_server()) ||
             broken(Http2Error::kProtocolError, "ENABLE_PUSH that is not 0 or 1");
    case Setting::kMaxConcurrentStreams:
      peer_max_streams_ = value;
      return true;
    case Setting::kInitialWindowSize:  // one frame may have thousands, each of which looks at every stream
      return spend_on_control() && on_initial_window(value);
    case Setting::kMaxFrameSize:  // ours are of the least size that must be taken
      return (value >= kMaxFrameSize && value < 1 << 24) ||
             broken(Http2Error::kProtocolError, "MAX_FRAME_SIZE out of range");
    case Setting::kMaxHeaderListSize:
      return true;
  }
  return true;  // one that we do not know (section 6.5.2)
}

bool Http2Session::on_initial_window(uint32_t value) {
  if (value > kLargestWindow) return broken(Http2Error::kFlowControlError, "INITIAL_WINDOW_SIZE out of range");
  const int64_t more = int64_t{value} - std::exchange(peer_initial_window_, value);
  bool right = true;
  streams_.for_each_open([&](Http2Stream& stream) {
    stream.send_window_ += more;
    right &= stream.send_window_ <= kLargestWindow;
    if (stream.has_more()) has_more(stream);
  });
  return right || broken(Http2Error::kFlowControlError, "INITIAL_WINDOW_SIZE makes a window too large");
}

bool Http2Session::on_ping(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return broken(Http2Error::kProtocolError, "PING on a stream");
  if (payload.size() != 8) return broken(Http2Error::kFrameSizeError, "PING that has not 8 octets");
  if (head.flags & kFlagAck) {
    if (second_goaway_.armed()) second_goaway();
    return true;
  }
  if (!spend_on_control()) return false;
  if (++acks_waiting_ > kMaxAcksWaiting) return broken(Http2Error::kEnhanceYourCalm, "a flood of PING");
  append_ping(out_, true, payload);
  want_write();
  return true;
}

bool Http2Session::on_goaway(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return broken(Http2Error::kProtocolError, "GOAWAY on a stream");
  if (payload.size() < 8) return broken(Http2Error::kFrameSizeError, "GOAWAY of less than 8 octets");
  if (!spend_on_control()) return false;
  if (is_server()) return true;  // it speaks of streams that we would open; it may go on, and closes when it is done
  const uint32_t last = read_u32(payload.data()) & kLargestId;
  draining_ = going_away_ = true;
  // What the peer did not take: it surely never saw them (section 6.8).
  streams_.for_each_open([&](Http2Stream& stream) {
    if (stream.id_ > last) close_stream(stream, static_cast<uint32_t>(Http2Error::kRefusedStream));
  });
  want_write();
  note_change();
  return true;
}

bool Http2Session::on_window_update(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return broken(Http2Error::kFrameSizeError, "WINDOW_UPDATE that has not 4 octets");
  const uint32_t increment = read_u32(payload.data()) & kLargestId;
  if (head.stream == 0) {
    send_window_ += increment;
    if (increment == 0) return broken(Http2Error::kProtocolError, "WINDOW_UPDATE of 0");
    if (send_window_ > kLargestWindow)
      return broken(Http2Error::kFlowControlError, "the connection's window overflows");
    ready_.splice(starved_);
    want_write();
    return true;
  }
  Http2Stream* stream = streams_.find(head.stream);
  if (!stream)
    return !is_idle(head.stream) || said_last_ ||
           broken(Http2Error::kProtocolError, "WINDOW_UPDATE of a stream that was never opened");
  if (increment == 0) return stream_error(head.stream, Http2Error::kProtocolError);
  stream->send_window_ += increment;
  if (stream->send_window_ > kLargestWindow) return stream_error(head.stream, Http2Error::kFlowControlError);
  if (stream->has_more()) has_more(*stream);
  return true;
}

}  // namespace duplex::http
