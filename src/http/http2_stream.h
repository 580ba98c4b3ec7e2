// Http2Stream: an Exchange over one HTTP/2 stream. Made, kept for reuse and freed by its Http2Session.
#pragma once

#include <optional>

#include "duplex/base/list.h"
#include "duplex/http/exchange.h"
#include "http/http2_fields.h"

namespace duplex::http {

class Http2Session;

struct SendTag : ListNode {};

class Http2Stream final : public Exchange, public SendTag {
 public:
  explicit Http2Stream(Http2Session& session) : Exchange(Version::kHttp2), session_(session) {}
  ~Http2Stream() override = default;

  const std::string& peer() const override;
  void consumed(size_t count) override;
  void send_head(int status, const Metadata& fields, bool end) override;
  void send(std::string_view octets) override;
  void send_end(const Metadata& trailers) override;
  void reset(Reset code) override;
  void send_interim(int status, const Metadata& fields) override;

 private:
  friend class Http2Session;
  friend class Http2Streams;
  static constexpr size_t kKeptCapacity = 16384;
  void clear();   // for its next use; strings and buffers keep their memory
  void shrink();  // after its last: a buffer keeps kKeptCapacity at most
  void take_pseudo_field(FieldKind kind, std::string_view value);
  // What did not come in the head must not be left of the one before.
  void drop_stale_pseudo_fields(const FieldRules& rules);
  // The stream is over for the network; what the users above still read stays.
  void closed(uint32_t code);
  // Is there anything to put into a frame, window or not?
  bool has_more() const { return out_at_ < out_.size() || (out_ended_ && !sent_end_); }
  // The next `count` octets of the body went into a frame.
  void took_from_body(size_t count);
  // Is the body that came as long as its head said (RFC 9113 section 8.1.1)?
  bool length_is_right() const { return !length_ || *length_ == received_; }

  Http2Session& session_;
  uint32_t id_ = 0;
  Http2Stream* next_in_bucket_ = nullptr;
  Context* context_ = nullptr;    // server: of its handler while that runs
  bool open_ = false;             // on the network
  bool in_use_ = false;           // a handler (server) or a caller (client) holds it
  bool queued_ = false;           // server: its head came in the batch that is being parsed
  bool sent_end_ = false;         // our END_STREAM is on its way
  bool reset_after_end_ = false;  // RST_STREAM(NO_ERROR) once our END_STREAM has left (RFC 9113 section 8.1)
  bool asked_head_ = false;       // client: of a HEAD request, whose answer has no body
  uint64_t head_end_ = 0;         // client: of all octets of the connection, where the request's head ends
  Buffer out_;
  size_t out_at_ = 0;
  Metadata out_trailers_;
  int64_t send_window_ = 0;         // below 0 after the peer made its windows smaller (RFC 9113 section 6.9.2)
  int64_t credit_ = 0;              // what the peer may send
  size_t owed_ = 0;                 // octets handed over whose credit is not yet returned
  size_t returned_ = 0;             // credit returned by the user above, not yet told to the peer
  size_t window_ = 0;               // our receive window for the stream
  size_t taken_ = 0;                // octets handed over since the window last grew
  size_t left_before_ = 0;          // octets of out_, when Http2Session::Stall last looked; 0: it has not
  uint64_t received_ = 0;           // octets of the body
  std::optional<uint64_t> length_;  // content-length, where there is a body
};

}  // namespace duplex::http
