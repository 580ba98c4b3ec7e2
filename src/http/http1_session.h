// Http1Session: the client side of one HTTP/1.1 connection.
#pragma once

#include <string>

#include "duplex/http/connected.h"
#include "duplex/http/exchange.h"
#include "http/http1_body.h"
#include "http/http1_parser.h"
#include "http/socket_io.h"

namespace duplex::http {

// What a client's exchange sends.
class Http1Request final : public Http1Body {
 public:
  void clear();
  // False: HTTP/1.1 cannot say this.
  bool head(const Head& head);
  void write(Buffer& out, size_t room, bool body_may_go);
  bool expects_continue() const { return expects_continue_; }

 private:
  void write_head(Buffer& out);
  Buffer lines_;  // the head up to the fields that frame the body
  bool sends_empty_length_ = false, expects_continue_ = false, takes_trailers_ = false;
};

class Http1Session;

class Http1ClientExchange final : public Exchange {
 public:
  explicit Http1ClientExchange(Http1Session& session) : Exchange(Version::kHttp11), session_(session) {}
  ~Http1ClientExchange() override = default;

  const std::string& peer() const override;
  void consumed(size_t count) override;
  void send_head(int, const Metadata&, bool) override {}
  void send(std::string_view octets) override;
  void send_end(const Metadata& trailers) override;
  void reset(Reset code) override;
  void send_interim(int, const Metadata&) override {}

 private:
  friend class Http1Session;
  void clear();
  Http1Session& session_;
  Http1Request request_;
};

class Http1Session final : public SocketIo, private Timer {
 public:
  Http1Session(Loop& loop, Connected socket, const Limits& limits, Notifier& changed);
  ~Http1Session() = default;

  bool over() const { return over_; }
  bool usable() const { return !over_ && !ending_; }
  bool busy() const { return in_use_; }
  Time free_since() const { return free_since_; }
  Notifier& ended() { return ended_; }
  const Status& why_over() const { return why_over_; }
  // Null: the server has closed the connection meanwhile.
  Exchange* open(const Head& head, bool end);
  void release();
  void end();
  void close_now(const Status& why);

 private:
  friend class Http1ClientExchange;
  void on_octets(const char* data, size_t size) override;
  void on_eof(int error) override;
  void on_written() override { want_write(); }
  void end_of_turn() override;
  void fire() override;

  void take(std::string_view& input);
  bool take_head();
  void stop_sending();
  void answered();
  void abandon(const Status& why);
  bool has_changed_its_mind() const;
  void write_request();
  bool whole() const { return x_.in_ended_ && x_.request_.written() && out_.empty(); }

  const Limits limits_;
  const std::string peer_;
  const int socket_;  // to read the last octets; valid while not over
  Notifier& changed_;
  Notifier ended_;
  Http1Parser parser_;
  Http1ClientExchange x_;
  Buffer pending_;     // the beginning of a head
  size_t unread_ = 0;  // of the body: handed to the exchange and not consumed
  size_t interims_ = 0;
  uint64_t sent_before_ = 0;  // octets, when the exchange was opened
  Time free_since_;
  bool over_ = false, ending_ = false, in_use_ = false, paused_ = false, may_continue_ = false, kept_ = false;
  bool reusable_ = false;
  Status why_over_;
};

}  // namespace duplex::http
