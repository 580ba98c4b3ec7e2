#include "http/http2_session.h"

#include <algorithm>
#include <cstring>

namespace duplex::http {
namespace {

std::string_view text(const uint8_t* p, size_t n) { return {reinterpret_cast<const char*>(p), n}; }

nghttp2_nv nv(std::string_view name, std::string_view value, uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), flags};
}

// nghttp2 on the loop's free list: each block remembers its size in 16 octets before it.
constexpr size_t kHeader = 16;
void* take(size_t size, void*) {
  char* block = static_cast<char*>(free_list_allocate(size + kHeader));
  std::memcpy(block, &size, sizeof size);
  return block + kHeader;
}
void give(void* p, void*) {
  if (!p) return;
  char* block = static_cast<char*>(p) - kHeader;
  size_t size;
  std::memcpy(&size, block, sizeof size);
  free_list_release(block, size + kHeader);
}
void* take_zeroed(size_t count, size_t size, void*) {
  void* p = take(count * size, nullptr);
  std::memset(p, 0, count * size);
  return p;
}
void* resize(void* p, size_t size, void*) {
  if (!p) return take(size, nullptr);
  size_t old;
  std::memcpy(&old, static_cast<char*>(p) - kHeader, sizeof old);
  void* bigger = take(size, nullptr);
  std::memcpy(bigger, p, std::min(old, size));
  give(p, nullptr);
  return bigger;
}

constexpr uint8_t kNoCopy = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

nghttp2_nv status_field(int status, char (&room)[4]) {
  if (status == 200) return nv(":status", "200", kNoCopy);
  room[0] = static_cast<char>('0' + status / 100 % 10);
  room[1] = static_cast<char>('0' + status / 10 % 10);
  room[2] = static_cast<char>('0' + status % 10);
  return nv(":status", {room, 3}, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

// Spaces around a value are no part of it (RFC 9110 section 5.5), and a peer resets the stream that brings them.
std::string_view trimmed(std::string_view value) {
  auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty() && is_space(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_space(value.back())) value.remove_suffix(1);
  return value;
}

void add_fields(FieldList& to, const Metadata& fields) {
  const uint8_t flags = fields.is_constant() ? kNoCopy : uint8_t{NGHTTP2_NV_FLAG_NONE};
  for (Metadata::Entry e : fields) to.add(nv(e.name, trimmed(e.value), flags));
}

constexpr size_t kTurnWrite = 256 * 1024;

}  // namespace

const nghttp2_session_callbacks* Http2Session::callbacks() {
  static const nghttp2_session_callbacks* all = [] {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
    return c;
  }();
  return all;
}

Http2Session::Http2Session(Requests* requests, Loop& loop, int fd, std::string peer, const Limits& limits)
    : SocketIo(loop, fd),
      requests_(requests),
      role_(requests ? Role::kServer : Role::kClient),
      peer_(std::move(peer)),
      limits_(limits) {
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_outbound_ack(options, 1000);
  nghttp2_option_set_peer_max_concurrent_streams(options, 100);
  nghttp2_option_set_stream_reset_rate_limit(options, 1000, 33);
  nghttp2_mem memory{nullptr, take, give, take_zeroed, resize};
  if (role_ == Role::kServer)
    nghttp2_session_server_new3(&session_, callbacks(), this, options, &memory);
  else
    nghttp2_session_client_new3(&session_, callbacks(), this, options, &memory);
  nghttp2_option_del(options);
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

bool Http2Session::start(std::string_view already) {
  if (!start_io()) {
    close_now(Status::resource_exhausted("the loop cannot watch one more socket"));
    return false;
  }
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits_.max_head)},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  if (role_ == Role::kServer)
    settings.back() = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<uint32_t>(limits_.max_streams)};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  if (!already.empty()) on_octets(already.data(), already.size());
  want_write();
  return true;
}

Http2Stream* Http2Session::find_stream(int32_t id) {
  auto* stream = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id));
  if (stream) latest_ = stream;
  return stream;
}

Http2Stream* Http2Session::make_stream(int32_t id) {
  Http2Stream* stream;
  if (!spare_.empty()) {
    stream = spare_.back();
    spare_.pop_back();
  } else {
    all_.push_back(std::make_unique<Http2Stream>(*this));
    stream = all_.back().get();
  }
  stream->clear();
  stream->id_ = id;
  ++live_;
  return stream;
}

void Http2Session::recycle(Http2Stream& stream) {
  if (stream.in_use_ || !stream.network_closed_ || stream.queued_) return;
  if (stream.owed_) took(stream, stream.owed_);  // of one that nobody took
  if (latest_ == &stream) latest_ = nullptr;
  if (receiving_ == &stream) receiving_ = nullptr;
  --live_;
  stream.shrink();
  spare_.push_back(&stream);
  note_change();
}

int Http2Session::on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Http2Session*>(user);
  const bool request = self.role_ == Role::kServer && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  Http2Stream* stream = request ? nullptr : self.stream_of(frame->hd.stream_id);
  self.receiving_ = stream;
  if (stream) {  // a response's head, an interim head, or trailers
    stream->head_pending_ = !stream->has_head_;
    if (stream->head_pending_) {
      stream->in_head_.status = 0;
      stream->in_head_.fields = Metadata();
    }
    return 0;
  }
  if (!request) return 0;
  stream = self.make_stream(frame->hd.stream_id);
  self.latest_ = self.receiving_ = stream;
  stream->head_pending_ = true;
  nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
  return 0;
}

int Http2Session::on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                            const uint8_t* value, size_t value_size, uint8_t, void* user) {
  auto& self = *static_cast<Http2Session*>(user);
  Http2Stream* stream = self.receiving_;
  if (!stream || name_size == 0) return 0;
  std::string_view n = text(name, name_size), v = text(value, value_size);
  if (name[0] == ':') {  // in a head only: nghttp2 lets none into trailers
    stream->take_pseudo_field(n, v);
    return 0;
  }
  Metadata& fields = stream->head_pending_ ? stream->in_head_.fields : stream->in_trailers_;
  if (fields.octets() + name_size + value_size + 32 > self.limits_.max_head) return self.refuse_field(*stream);
  fields.add(n, v);
  return 0;
}

int Http2Session::refuse_field(Http2Stream& stream) {
  if (stream.head_pending_)
    stream.error_ =
        Status::resource_exhausted("the head is larger than " + std::to_string(limits_.max_head) + " octets");
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int Http2Session::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Http2Session*>(user);
  if (frame->hd.type == NGHTTP2_SETTINGS || frame->hd.type == NGHTTP2_GOAWAY) {
    if (frame->hd.type == NGHTTP2_GOAWAY) self.draining_ = true;
    self.note_change();
    return 0;
  }
  if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) && self.second_goaway_.armed())
    self.second_goaway();
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  Http2Stream* stream = self.stream_of(frame->hd.stream_id);
  if (!stream) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS && stream->head_pending_) {
    stream->head_pending_ = false;
    if (self.role_ == Role::kServer) {
      stream->has_head_ = true;
      stream->drop_stale_pseudo_fields();
      self.queue_started(*stream);
    } else if (stream->in_head_.status >= 200) {
      stream->has_head_ = true;
    }
  }
  if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) stream->in_ended_ = true;
  if (stream->has_head_) stream->arrived_.notify_all();
  return 0;
}

void Http2Session::queue_started(Http2Stream& stream) {
  stream.queued_ = true;
  starting_.push_back(&stream);
}

int Http2Session::on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
  auto& self = *static_cast<Http2Session*>(user);
  Http2Stream* stream = self.stream_of(id);
  if (!stream || (!stream->in_use_ && !stream->queued_)) {  // nobody will read it
    nghttp2_session_consume(session, id, size);
    return 0;
  }
  stream->in_body_.append(text(data, size));
  stream->owed_ += size;
  self.unread_ += size;
  (self.unread_ > self.limits_.max_unread ? self.held_credit_ : self.due_credit_) += size;
  stream->arrived_.notify_all();
  return 0;
}

void Http2Session::took(Http2Stream& stream, size_t count) {
  count = std::min(count, stream.owed_);
  if (count == 0) return;
  stream.owed_ -= count;
  unread_ -= std::min(unread_, count);
  if (over_) return;
  if (held_credit_ && unread_ <= limits_.max_unread / 2) {
    nghttp2_session_consume_connection(session_, held_credit_);
    held_credit_ = 0;
    want_write();
  }
  if (stream.network_closed_ || stream.in_ended_) return;
  nghttp2_session_consume_stream(session_, stream.id_, count);
  stream.taken_ += count;
  // A reader that has kept up with a whole window gets a larger one (law 5).
  if (stream.taken_ >= 2 * stream.window_ && stream.window_ < kLargestStreamWindow && stream.owed_ == 0) {
    stream.window_ *= 2;
    stream.taken_ = 0;
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id_,
                                          static_cast<int32_t>(stream.window_));
  }
  want_write();
}

int Http2Session::on_close(nghttp2_session*, int32_t id, uint32_t code, void* user) {
  auto& self = *static_cast<Http2Session*>(user);
  Http2Stream* stream = self.stream_of(id);
  if (!stream) return 0;
  self.latest_ = nullptr;
  if (std::exchange(stream->reset_after_end_, false)) --self.resets_due_;
  stream->closed(code);
  self.recycle(*stream);
  return 0;
}

int Http2Session::on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  auto& self = *static_cast<Http2Session*>(user);
  if (self.role_ == Role::kClient) {
    if (frame->hd.type == NGHTTP2_HEADERS)
      if (Http2Stream* stream = self.stream_of(frame->hd.stream_id)) stream->head_left_ = true;
    return 0;
  }
  if (self.resets_due_ == 0 || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
      (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
    return 0;
  auto* stream = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
  if (stream && stream->reset_after_end_ && !stream->in_ended_)
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_NO_ERROR);
  return 0;
}

ssize_t Http2Session::on_pull(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags,
                              nghttp2_data_source* source, void*) {
  auto& stream = *static_cast<Http2Stream*>(source->ptr);
  size_t n = stream.pull(to, room, flags);
  return stream.deferred_ ? static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED) : static_cast<ssize_t>(n);
}

void Http2Session::on_octets(const char* data, size_t size) {
  octets_in_ += size;
  ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(data), size);
  if (due_credit_) nghttp2_session_consume_connection(session_, std::exchange(due_credit_, 0));
  if (n < 0) {
    // nghttp2 has queued a GOAWAY where the protocol asks for one; send it and end.
    Status why = Status::internal(std::string("HTTP/2 broken by the peer: ") + nghttp2_strerror(static_cast<int>(n)));
    nghttp2_session_terminate_session(session_,
                                      n == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    end_of_turn();
    close_now(std::move(why));
  }
  // Streams start when the whole batch has been parsed (law 4).
  for (size_t i = 0; i < starting_.size(); ++i) {
    Http2Stream& stream = *starting_[i];
    stream.queued_ = false;
    if (stream.network_closed_)
      recycle(stream);
    else
      requests_->on_request(stream);
  }
  starting_.clear();
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
  close_socket();
  for (auto& stream : all_) {
    if (stream->id_ < 0 || stream->network_closed_) continue;
    stream->network_closed_ = true;
    bool whole = stream->in_ended_ && role_ == Role::kClient;
    if (!whole) {
      stream->error_ = why;
      stream->unsent_ = role_ == Role::kClient && !stream->head_left_;
      if (stream->context_) stream->context_->cancel(Status::cancelled("the caller has gone: " + why.message()));
    }
    stream->arrived_.notify_all();
    stream->room_.notify_all();
    recycle(*stream);
  }
  note_change();
  ended_.notify_all();
}

void Http2Session::on_written() { want_write(); }

void Http2Session::end_of_turn() {
  if (over_ || write_blocked()) return;
  bool more = false;
  for (;;) {
    const uint8_t* data = nullptr;
    ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n <= 0) break;
    out_.append(text(data, static_cast<size_t>(n)));
    if (out_.size() >= kTurnWrite) {
      more = true;
      break;
    }
  }
  if (!out_.empty()) write_out();
  if (over_) return;
  if (more) want_write();
  if (out_.empty() && !nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_))
    close_now(Status::unavailable("the connection has ended"));
}

void Http2Session::drain() {
  if (draining_ || over_) return;
  draining_ = true;
  if (role_ == Role::kServer) {
    nghttp2_submit_shutdown_notice(session_);
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    loop_.arm(second_goaway_, after(loop_.now(), std::chrono::seconds(1)));
  }
  want_write();
  note_change();
}

void Http2Session::second_goaway() {
  second_goaway_.disarm();
  if (over_) return;
  int32_t last = nghttp2_session_get_last_proc_stream_id(session_);
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  want_write();
}

void Http2Session::end(uint32_t code) {
  if (over_) return;
  nghttp2_session_terminate_session(session_, code);
  want_write();
}

size_t Http2Session::peer_max_streams() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void Http2Session::submit_head(Http2Stream& stream, int status, const Metadata& fields, bool end) {
  char room[4];
  fields_.clear();
  fields_.add(status_field(status, room));
  add_fields(fields_, fields);
  nghttp2_data_provider provider{{.ptr = &stream}, on_pull};
  nghttp2_submit_response(session_, stream.id_, fields_.data(), fields_.size(), end ? nullptr : &provider);
  want_write();
}

void Http2Session::submit_trailers(Http2Stream& stream, const Metadata& trailers) {
  fields_.clear();
  add_fields(fields_, trailers);
  nghttp2_submit_trailer(session_, stream.id_, fields_.data(), fields_.size());
}

Http2Stream* Http2Session::submit(const Head& head, bool end) {
  if (over_ || draining_) return nullptr;
  Http2Stream* stream = make_stream(0);
  fields_.clear();
  fields_.add(nv(":method", head.method));
  fields_.add(nv(":scheme", head.scheme));
  fields_.add(nv(":authority", head.authority));
  fields_.add(nv(":path", head.target));
  add_fields(fields_, head.fields);
  nghttp2_data_provider provider{{.ptr = stream}, on_pull};
  int32_t id =
      nghttp2_submit_request(session_, nullptr, fields_.data(), fields_.size(), end ? nullptr : &provider, stream);
  if (id < 0) {  // the ids are used up
    stream->network_closed_ = true;
    recycle(*stream);
    drain();
    return nullptr;
  }
  stream->id_ = id;
  stream->in_use_ = true;
  stream->out_head_sent_ = true;
  stream->out_ended_ = end;
  want_write();
  return stream;
}

void Http2Session::release(Http2Stream& stream) {
  stream.context_ = nullptr;
  if (!stream.network_closed_) {
    // Done before the other side was: what it still sends is of no use to anyone.
    bool finished = stream.out_ended_ && (role_ == Role::kServer || stream.in_ended_);
    if (!finished)
      stream.reset(role_ == Role::kServer ? Reset::kInternalError : Reset::kCancel);
    else if (!stream.in_ended_ && role_ == Role::kServer && !std::exchange(stream.reset_after_end_, true))
      ++resets_due_;
  }
  if (stream.owed_) took(stream, stream.owed_);
  stream.in_use_ = false;
  recycle(stream);
}

}  // namespace duplex::http
