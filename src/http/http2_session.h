// Http2Session: one HTTP/2 connection over nghttp2, either role. nghttp2's callbacks only mark and queue (law 6); what
// they found is acted on when the batch of octets has been parsed; what is to be sent goes out in one write a turn.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <vector>

#include "http/http2_stream.h"
#include "http/socket_io.h"

namespace duplex::http {

// Fields on their way to nghttp2; keeps its memory.
class FieldList {
 public:
  void clear() { size_ = 0; }
  void add(const nghttp2_nv& field) {
    if (size_ == fields_.size()) fields_.resize(2 * size_ + 8);
    fields_[size_++] = field;
  }
  const nghttp2_nv* data() const { return fields_.data(); }
  size_t size() const { return size_; }

 private:
  std::vector<nghttp2_nv> fields_;
  size_t size_ = 0;
};

class Http2Session final : public SocketIo {
 public:
  enum class Role : uint8_t { kServer, kClient };
  static constexpr size_t kStreamWindow = 64 * 1024, kLargestStreamWindow = 1 << 20, kConnectionWindow = 1 << 20;

  // Server: a request's head is whole and its batch parsed; it claims the stream before it returns.
  class Requests {
   public:
    virtual void on_request(Http2Stream& stream) = 0;

   protected:
    ~Requests() = default;
  };

  // `requests` is null for a client.
  Http2Session(Requests* requests, Loop& loop, int fd, std::string peer, const Limits& limits);
  ~Http2Session();

  // Sends our SETTINGS and begins to read; `already` was read before. False: the loop cannot watch the socket.
  bool start(std::string_view already);
  // No new exchanges. Server: GOAWAY in two phases.
  void drain();
  // Sends GOAWAY with that code, and ends.
  void end(uint32_t code);

  bool over() const { return over_; }
  Notifier& changed() { return changed_; }  // over, fewer streams than before, or other settings of the peer
  Notifier& ended() { return ended_; }      // over
  // Is notified whenever changed() is: so that a pool of sessions need not wait on each.
  void set_also_notified(Notifier* other) { also_ = other; }
  const Status& why_over() const { return why_over_; }
  size_t streams() const { return live_; }
  bool draining() const { return draining_; }
  const std::string& peer_name() const { return peer_; }
  // How many of ours the peer lets be open at once.
  size_t peer_max_streams() const;
  uint64_t octets_in() const { return octets_in_; }

  // Client: a new exchange with its request queued. Null: the session can take no more streams ever.
  Http2Stream* submit(const Head& head, bool end);
  // The user above is done with it; what is not over is reset.
  void release(Http2Stream& stream);
  // Closes the socket; what is open breaks with `why`.
  void close_now(Status why);

  // Server: takes a started stream for a handler that runs under ctx, until release().
  void claim(Http2Stream& stream, Context& ctx) {
    stream.in_use_ = true;
    stream.context_ = &ctx;
  }

 private:
  friend class Http2Stream;
  static const nghttp2_session_callbacks* callbacks();
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void* self);
  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t flags, void* self);
  static int on_frame(nghttp2_session*, const nghttp2_frame*, void* self);
  static int on_data(nghttp2_session*, uint8_t flags, int32_t id, const uint8_t* data, size_t size, void* self);
  static int on_sent(nghttp2_session*, const nghttp2_frame*, void* self);
  static int on_close(nghttp2_session*, int32_t id, uint32_t code, void* self);
  static ssize_t on_pull(nghttp2_session*, int32_t id, uint8_t* to, size_t room, uint32_t* flags, nghttp2_data_source*,
                         void* self);

  void on_octets(const char* data, size_t size) final;
  void on_eof(int error) final;
  void on_written() final;
  void end_of_turn() final;

  Http2Stream* stream_of(int32_t id) { return latest_ && latest_->id_ == id ? latest_ : find_stream(id); }
  Http2Stream* find_stream(int32_t id);
  Http2Stream* make_stream(int32_t id);
  void recycle(Http2Stream& stream);
  void submit_head(Http2Stream& stream, int status, const Metadata& fields, bool end);
  void submit_trailers(Http2Stream& stream, const Metadata& trailers);
  void took(Http2Stream& stream, size_t count);
  void queue_started(Http2Stream& stream);
  int refuse_field(Http2Stream& stream);

  Requests* const requests_;
  const Role role_;
  const std::string peer_;
  const Limits limits_;
  nghttp2_session* session_ = nullptr;
  // When the peer has surely heard the first GOAWAY, or had a second to (RFC 9113 section 6.8).
  class SecondGoaway final : public Timer {
   public:
    explicit SecondGoaway(Http2Session& session) : session_(session) {}
    void fire() override { session_.second_goaway(); }

   private:
    Http2Session& session_;
  };
  void second_goaway();

  SecondGoaway second_goaway_{*this};
  bool over_ = false, draining_ = false;
  Status why_over_;
  Http2Stream* latest_ = nullptr;  // whose frame came last: mostly the next one's too
  Http2Stream* receiving_ =
      nullptr;              // whose header block came last: its frames follow each other (RFC 9113 section 4.3)
  size_t resets_due_ = 0;   // streams with reset_after_end_
  size_t live_ = 0;         // streams open on the network or in use above
  size_t unread_ = 0;       // octets in streams' bodies
  size_t held_credit_ = 0;  // connection credit held while too much is unread
  size_t due_credit_ = 0;   // connection credit to return when the batch has been parsed
  uint64_t octets_in_ = 0;
  std::vector<Http2Stream*> starting_;
  std::vector<std::unique_ptr<Http2Stream>> all_;
  std::vector<Http2Stream*> spare_;
  FieldList fields_;  // scratch
  void note_change() {
    changed_.notify_all();
    if (also_) also_->notify_all();
  }
  Notifier changed_, ended_;
  Notifier* also_ = nullptr;
};

}  // namespace duplex::http
