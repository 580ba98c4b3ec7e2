// Http2Stream: an Exchange over one HTTP/2 stream. Made, kept for reuse and freed by its Http2Session.
#pragma once

#include "duplex/http/exchange.h"

namespace duplex::http {

class Http2Session;

class Http2Stream final : public Exchange {
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
  enum : uint8_t { kMethod = 1, kTarget = 2, kAuthority = 4, kScheme = 8 };
  static constexpr size_t kKeptCapacity = 16384;
  void clear();   // for its next use; strings and buffers keep their memory
  void shrink();  // after its last: a buffer keeps kKeptCapacity at most
  void take_pseudo_field(std::string_view name, std::string_view value);
  // What did not come in the head must not be left of the one before.
  void drop_stale_pseudo_fields();
  void resume_sending();  // tells nghttp2 that there is more
  size_t pull(uint8_t* to, size_t room, uint32_t* flags);
  // The stream is over for the network; what the users above still read stays.
  void closed(uint32_t code);

  Http2Session& session_;
  int32_t id_ = -1;
  Context* context_ = nullptr;  // server: of its handler while that runs
  bool in_use_ = false;         // a handler (server) or a caller (client) holds it
  bool network_closed_ = false, deferred_ = false, queued_ = false;
  bool head_pending_ = false;     // the final head is being received
  uint8_t pseudo_fields_ = 0;     // that came in that head: kMethod...
  bool head_left_ = false;        // client: the request's head is on its way
  bool reset_ = false;            // by us, once: nghttp2 would send a second one for a head that never left
  bool reset_after_end_ = false;  // RST_STREAM(NO_ERROR) once our END_STREAM has left (RFC 9113 section 8.1)
  Buffer out_;
  size_t out_at_ = 0;
  Metadata out_trailers_;
  size_t owed_ = 0;    // octets handed over whose credit is not yet returned
  size_t window_ = 0;  // our receive window for the stream
  size_t taken_ = 0;   // octets handed over since the window last grew
};

}  // namespace duplex::http
