// Http2Session: one HTTP/2 connection (RFC 9113), either role. What arrives only marks and queues (law 6) and is acted
// on when the batch of octets has been parsed; what is to be sent goes out in one write a turn.
//
// http2_session.cc has its life and its streams', http2_receive.cc what the peer's frames do, http2_send.cc the frames
// that leave, http2_stall.cc what becomes of those that the peer does not take.
#pragma once

#include <string>
#include <vector>

#include "duplex/http/connected.h"
#include "http/hpack_decoder.h"
#include "http/hpack_encoder.h"
#include "http/http2_flood.h"
#include "http/http2_frames.h"
#include "http/http2_streams.h"
#include "http/socket_io.h"

namespace duplex::http {

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
  Http2Session(Requests* requests, Loop& loop, Connected socket, const Limits& limits);
  ~Http2Session();

  // Sends our SETTINGS and begins to read; `already` was read before. False: the loop cannot watch the socket.
  bool start(std::string_view already);
  // No new exchanges. Server: GOAWAY in two phases.
  void drain();
  // Sends GOAWAY with that code, and ends.
  void end(uint32_t code);

  bool is_server() const { return role_ == Role::kServer; }
  bool over() const { return over_; }
  Notifier& changed() { return changed_; }  // over, fewer streams than before, or other settings of the peer
  Notifier& ended() { return ended_; }      // over
  // Is notified whenever changed() is: so that a pool of sessions need not wait on each.
  void set_also_notified(Notifier* other) { also_ = other; }
  const Status& why_over() const { return why_over_; }
  size_t streams() const { return streams_.live(); }
  bool draining() const { return draining_; }
  const std::string& peer_name() const { return peer_; }
  // How many of ours the peer lets be open at once.
  size_t peer_max_streams() const { return peer_max_streams_; }
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

  void on_octets(const char* data, size_t size) final;
  void on_eof(int error) final;
  void on_written() final {
    resume_reading();
    want_write();
  }
  void end_of_turn() final;

  // ---- its life and its streams' ----
  // The peer broke the connection's rules: GOAWAY, and the end. False, for on_...().
  bool broken(Http2Error code, std::string_view how);
  void second_goaway();
  void recycle(Http2Stream& stream);
  // The stream is over on the network.
  void close_stream(Http2Stream& stream, uint32_t code);
  void reset(Http2Stream& stream, uint32_t code);
  // The peer broke the stream's rules. False: once too often.
  bool stream_error(uint32_t id, Http2Error code);
  void took(Http2Stream& stream, size_t count);
  void note_change() {
    changed_.notify_all();
    if (also_) also_->notify_all();
  }

  // ---- what arrives; false: the connection is broken, no more of it is looked at ----
  bool take_preface(std::string_view& octets);
  void start_streams();
  bool on_frame(const FrameHead& head, std::string_view payload);
  bool on_data(const FrameHead& head, std::string_view payload);
  bool on_headers(const FrameHead& head, std::string_view payload);
  bool on_continuation(const FrameHead& head, std::string_view payload);
  bool on_block(uint32_t id, bool end, std::string_view block);
  bool on_request_block(uint32_t id, bool end, std::string_view block);
  bool on_later_block(Http2Stream& stream, bool end, std::string_view block);
  bool on_priority(const FrameHead& head, std::string_view payload);
  bool on_rst_stream(const FrameHead& head, std::string_view payload);
  bool on_settings(const FrameHead& head, std::string_view payload);
  bool on_setting(Setting id, uint32_t value);
  bool on_initial_window(uint32_t value);
  bool on_ping(const FrameHead& head, std::string_view payload);
  bool on_goaway(const FrameHead& head, std::string_view payload);
  bool on_window_update(const FrameHead& head, std::string_view payload);
  // Takes padding off. False: broken.
  bool unpad(const FrameHead& head, std::string_view& payload);
  enum class Decoded : uint8_t { kRight, kMalformed, kTooLarge, kBroken };
  // Decodes a block into `stream`, or into nothing.
  Decoded decode(std::string_view block, FieldRules& rules, Http2Stream* stream, Metadata* fields);
  // A frame for a stream that is not open.
  bool on_frame_of_the_past(const FrameHead& head);
  bool is_idle(uint32_t id) const;
  bool ended_by_peer(Http2Stream& stream);
  bool spend_on_control() {
    return control_.spend(loop_.now()) || broken(Http2Error::kEnhanceYourCalm, "a flood of frames");
  }
  // The peer is done with `count` octets' worth of the connection's window.
  void return_credit(size_t count);

  // ---- what the peer does not take ----
  // Something may be stuck from now on.
  void watch_for_stall();
  void end_stalled();

  // ---- what leaves ----
  int64_t peer_initial_window() const { return peer_initial_window_; }
  void send_head(Http2Stream& stream, int status, const Metadata& fields, bool end);
  void send_interim(Http2Stream& stream, int status, const Metadata& fields);
  // There may be something to send of it.
  void has_more(Http2Stream& stream);
  void fill();
  void send_from(Http2Stream& stream);
  void send_data(Http2Stream& stream, size_t count, bool end);
  void send_trailers(Http2Stream& stream);
  void sent_end(Http2Stream& stream);
  size_t begin_headers();
  void add_status(int status);
  void add_field(std::string_view name, std::string_view value);
  void add_fields(const Metadata& fields);
  void add_block(int status, const Metadata& fields);
  void finish_headers(size_t at, uint32_t id, bool end);

  Requests* const requests_;
  const Role role_;
  const std::string peer_;
  const Limits limits_;

  // When the peer has surely heard the first GOAWAY, or had a second to (RFC 9113 section 6.8).
  class SecondGoaway final : public Timer {
   public:
    explicit SecondGoaway(Http2Session& session) : session_(session) {}
    void fire() override { session_.second_goaway(); }

   private:
    Http2Session& session_;
  };
  SecondGoaway second_goaway_{*this};
  // Looks, each Limits::send_stall, for what the peer does not take (http2_stall.cc).
  class Stall final : public Timer {
   public:
    explicit Stall(Http2Session& session) : session_(session) {}
    void fire() override { session_.end_stalled(); }

   private:
    Http2Session& session_;
  };
  Stall stall_{*this};
  bool was_blocked_ = false;  // when it last looked
  uint64_t sent_before_ = 0;  // octets, by then
  bool over_ = false, draining_ = false;
  bool ending_ = false;      // the last GOAWAY is on its way: it closes when that has left
  bool going_away_ = false;  // one side takes no new streams: it closes when the last has ended
  bool said_last_ = false;   // server: our last GOAWAY is queued; what the peer opens after it is passed over
  Status why_over_;

  Http2Streams streams_;
  Http2Past past_;
  uint32_t last_peer_id_ = 0;  // server: of the requests taken
  uint32_t next_id_ = 1;       // client
  std::vector<Http2Stream*> starting_;

  FrameReader reader_;
  HpackDecoder decoder_;
  std::string_view preface_left_;
  bool had_settings_ = false;
  uint32_t block_stream_ = 0;  // of the header block that CONTINUATION goes on with; 0: none
  bool block_end_ = false;
  size_t block_frames_ = 0;
  Buffer block_;
  FloodGuard resets_, control_;
  size_t acks_waiting_ = 0;  // of ours, since out_ was last empty
  uint64_t octets_in_ = 0;
  int64_t credit_ = kDefaultInitialWindow;  // what the peer may send on the connection
  size_t returned_ = 0;                     // of it, not yet told to the peer
  size_t unread_ = 0;                       // octets in streams' bodies
  size_t held_credit_ = 0;                  // connection credit held while too much is unread
  size_t due_credit_ = 0;                   // connection credit to return when the batch has been parsed

  HpackEncoder encoder_;
  // Header blocks of fields that never change, as they were last encoded: right as long as the encoder's table is the
  // same.
  struct KnownBlock {
    const void* fields = nullptr;
    int status = 0;  // 0: trailers
    uint64_t changes = 0;
    uint8_t size = 0;
    char octets[31];
  };
  KnownBlock known_blocks_[4];
  size_t next_known_ = 0;
  List<Http2Stream, SendTag> ready_;    // have something to send and a window
  List<Http2Stream, SendTag> starved_;  // wait for the connection's window
  int64_t send_window_ = kDefaultInitialWindow;
  int64_t peer_initial_window_ = kDefaultInitialWindow;
  size_t peer_max_streams_ = 100;  // until its SETTINGS come

  Notifier changed_, ended_;
  Notifier* also_ = nullptr;
};

}  // namespace duplex::http
