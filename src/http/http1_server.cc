#include "http/http1_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "duplex/runtime/scope.h"
#include "http/http1_parser.h"
#include "http/http1_response.h"
#include "http/http1_text.h"
#include "http/socket_io.h"

namespace duplex::http {
namespace {

constexpr size_t kUnreadLimit = 64 * 1024;    // body octets nobody has taken yet: past it the socket is not read
constexpr size_t kPipelineLimit = 64 * 1024;  // octets of requests that wait their turn: the same
constexpr size_t kTurnWrite = 256 * 1024;     // what one turn puts together for the socket
constexpr size_t kDiscardLimit = 256 * 1024;  // an unread rest of a body up to this is read away
constexpr size_t kLingerOctets = 1 << 20;     // what a closing connection reads away
constexpr Duration kLingerTime = std::chrono::seconds(1);

bool closed_both_ways(int socket) {
  pollfd polled{socket, 0, 0};
  return ::poll(&polled, 1, 0) == 1 && (polled.revents & POLLHUP);
}

class Http1Server;

class Http1Exchange final : public Exchange {
 public:
  explicit Http1Exchange(Http1Server& connection) : Exchange(Version::kHttp11), connection_(connection) {}
  ~Http1Exchange() override = default;

  const std::string& peer() const override;
  void consumed(size_t count) override;
  void body_awaited() override;
  void send_head(int status, const Metadata& fields, bool end) override;
  void send(std::string_view octets) override;
  void send_end(const Metadata& trailers) override;
  void reset(Reset code) override;
  void send_interim(int status, const Metadata& fields) override;

 private:
  friend class Http1Server;
  void clear();  // for the next one; strings and buffers keep their memory

  Http1Server& connection_;
  Http1Response response_;
};

class Http1Server final : public SocketIo, public ServerConnection, private Timer {
 public:
  Http1Server(Context& ctx, Connected socket, const ServerOptions& options)
      : SocketIo(ctx.loop(), socket.fd, std::move(socket.tls)),
        scope_(ctx),
        handler_(*options.handler),
        limits_(options.limits),
        peer_(std::move(socket.peer)),
        socket_(socket.fd),
        parser_(Http1Parser::Kind::kRequest, options.limits.max_head),
        x_(*this) {}
  ~Http1Server() override = default;

  Task<void> run(std::string_view already_read);
  void drain() override;
  void cancel(const Status& why) override { scope_.cancel(why); }

 private:
  friend class Http1Exchange;
  enum class Phase : uint8_t {
    kReading,    // no request yet, or a part of its head
    kServing,    // the handler runs
    kFinishing,  // it has returned: the rest of its answer goes out, the rest of its request is read away
    kClosing,    // what is in out_ goes out, then the connection ends
    kLingering,  // our half is closed; what still comes is read away, lest a reset overtake our last answer
    kClosed,
  };

  void on_octets(const char* data, size_t size) override;
  void on_eof(int error) override;
  void on_written() override { want_write(); }
  void end_of_turn() override;
  void fire() override;

  void advance(std::string_view& input);
  void advance_pending();
  void take(std::string_view& input);
  void begin_next();
  void start();
  Task<void> serve(Context& ctx);
  void finished();
  bool settle(bool more_came);
  bool rest_is_too_much() const;
  void write_response();
  void refuse(int status, std::string_view text);
  void gone(const std::string& why);
  void break_exchange(Status error, const std::string& why);
  void abort();
  void begin_closing(bool linger);
  void close_now();
  void set_timer();
  void look_at_input();
  bool wants_input() const;
  std::string_view date() const { return http_date(loop_.wall_now()); }

  Scope scope_;
  Handler& handler_;
  const Limits limits_;
  const std::string peer_;
  const int socket_;  // for shutdown(); valid while open()
  Http1Parser parser_;
  Http1Exchange x_;
  Context* context_ = nullptr;  // of the handler while it runs
  Phase phase_ = Phase::kReading;
  Buffer pending_;     // octets that came and wait: the beginning of a head, or requests whose turn has not come
  size_t unread_ = 0;  // of the body: handed to the exchange and not consumed
  size_t thrown_away_ = 0;
  uint64_t body_when_finished_ = 0;
  Time head_due_ = kNever;
  bool advancing_ = false, paused_ = false, draining_ = false, hurry_ = false, eof_ = false, over_ = false;
  bool ask_if_silent_ = false, close_after_ = false, continued_ = false, raw_ = false, linger_ = false;
  bool asked_before_ = false;  // a request was served on this connection
  Notifier ended_;
};

// ---- the exchange ----

const std::string& Http1Exchange::peer() const { return connection_.peer_; }

void Http1Exchange::clear() {
  has_head_ = in_ended_ = out_head_sent_ = out_ended_ = unsent_ = false;
  in_head_.method.clear();
  in_head_.target.clear();
  in_head_.authority.clear();
  in_head_.scheme.clear();
  in_head_.fields = Metadata();
  in_body_.clear();
  if (in_body_.capacity() > 16384) in_body_ = Buffer();
  in_trailers_ = Metadata();
  error_ = Status();
  unsent_octets_ = 0;
  response_.clear();
}

void Http1Exchange::consumed(size_t count) {
  Http1Server& c = connection_;
  c.unread_ -= std::min(c.unread_, count);
  // Not read here: the caller may be in the middle of taking the body.
  if (c.paused_ && c.unread_ <= kUnreadLimit / 2 && c.open()) c.loop_.at_end_of_turn(c);
}

void Http1Exchange::body_awaited() {
  Http1Server& c = connection_;
  if (!c.parser_.expects_continue() || c.continued_ || out_head_sent_ || in_ended_ || c.parser_.body_octets()) return;
  c.continued_ = true;
  if (!c.open() || c.phase_ != Http1Server::Phase::kServing) return;
  c.out_.append("HTTP/1.1 100 Continue\r\n\r\n");
  c.want_write();
}

void Http1Exchange::send_head(int status, const Metadata& fields, bool end) {
  if (out_head_sent_ || connection_.phase_ != Http1Server::Phase::kServing) return;
  out_head_sent_ = true;
  response_.head(status, fields);
  if (status == 101) {
    if (!in_ended_ || !in_head_.fields.find("upgrade")) return reset(Reset::kInternalError);
    connection_.raw_ = true;  // the connection is the handler's from here on
    in_ended_ = false;
  }
  if (end)
    send_end(Metadata());
  else
    connection_.want_write();
}

void Http1Exchange::send(std::string_view octets) {
  if (!out_head_sent_ || out_ended_ || connection_.phase_ != Http1Server::Phase::kServing) return;
  response_.append(octets);
  unsent_octets_ = response_.held() + connection_.out_.size();
  connection_.want_write();
}

void Http1Exchange::send_end(const Metadata& trailers) {
  if (!out_head_sent_ || out_ended_ || connection_.phase_ != Http1Server::Phase::kServing) return;
  out_ended_ = true;
  response_.end(trailers);
  connection_.want_write();
}

void Http1Exchange::reset(Reset) {
  if (connection_.phase_ == Http1Server::Phase::kServing) connection_.abort();
}

void Http1Exchange::send_interim(int status, const Metadata& fields) {
  Http1Server& c = connection_;
  if (out_head_sent_ || c.phase_ != Http1Server::Phase::kServing || !c.parser_.http11()) return;
  if (status < 100 || status > 199 || status == 101) return;
  for (Metadata::Entry e : fields)
    if (!is_token(e.name) || !is_field_value(e.value)) return;
  append_status_line(c.out_, status);
  for (Metadata::Entry e : fields)
    if (!is_connection_field(e.name) && e.name != "content-length") append_field(c.out_, e.name, e.value);
  c.out_.append("\r\n");
  c.continued_ |= status == 100;
  c.want_write();
}

// ---- the connection's life ----

Task<void> Http1Server::run(std::string_view already_read) {
  if (!start_io()) {
    close_socket();
    co_return;
  }
  begin_next();
  if (!already_read.empty()) on_octets(already_read.data(), already_read.size());
  set_timer();
  want_write();
  while (!over_) {
    Status waited = co_await ended_.wait(scope_.context());
    if (waited.is_ok()) continue;
    // Cancelled: what runs has heard it. Its answers still go out, unless the peer does not take them.
    draining_ = hurry_ = true;
    if (phase_ == Phase::kReading) close_now();
    set_timer();
    Context bare(loop_);
    while (!over_) co_await ended_.wait(bare);
  }
  co_await scope_.join();
}

void Http1Server::drain() {
  draining_ = true;
  if (phase_ == Phase::kReading && pending_.empty()) begin_closing(false);
}

void Http1Server::begin_next() {
  x_.clear();
  parser_.begin(x_.in_head_, x_.in_body_, x_.in_trailers_);
  phase_ = Phase::kReading;
  unread_ = 0;
  body_when_finished_ = 0;
  head_due_ = kNever;
  continued_ = ask_if_silent_ = false;
}

void Http1Server::close_now() {
  close_socket();
  disarm();
  phase_ = Phase::kClosed;
  pending_ = Buffer();
  if (context_) return;  // over when the handler has returned
  over_ = true;
  ended_.notify_all();
}

void Http1Server::begin_closing(bool linger) {
  if (phase_ == Phase::kClosed || phase_ == Phase::kLingering) return;
  phase_ = Phase::kClosing;
  linger_ |= linger;
  set_timer();
  if (!open()) return;
  loop_.at_end_of_turn(*this);
}

// One timer: what it waits for follows from the phase.
void Http1Server::set_timer() {
  switch (phase_) {
    case Phase::kReading:
      if (!pending_.empty()) {
        if (head_due_ == kNever) head_due_ = after(loop_.now(), limits_.head_timeout);
        if (head_due_ != kNever) loop_.arm(*this, head_due_);
        return;
      }
      [[fallthrough]];
    case Phase::kFinishing:
    case Phase::kClosing:
      if (Time due = after(loop_.now(), hurry_ ? kLingerTime : limits_.idle); due != kNever) loop_.arm(*this, due);
      return;
    case Phase::kLingering:
      loop_.arm(*this, after(loop_.now(), kLingerTime));
      return;
    case Phase::kServing:
    case Phase::kClosed:
      disarm();
      return;
  }
}

void Http1Server::fire() {
  if (phase_ == Phase::kReading && !pending_.empty()) return refuse(408, "the request did not come in time");
  close_now();
}

// ---- what arrives ----

bool Http1Server::wants_input() const {
  if (phase_ == Phase::kClosing || phase_ == Phase::kLingering) return true;
  if (unread_ > kUnreadLimit) return false;
  return pending_.size() < kPipelineLimit || (phase_ == Phase::kReading && out_.size() < kTurnWrite);
}

void Http1Server::look_at_input() {
  if (!wants_input()) {
    paused_ = true;
    pause_reading();
  } else if (paused_) {
    loop_.at_end_of_turn(*this);
  }
}

void Http1Server::on_octets(const char* data, size_t size) {
  if (phase_ == Phase::kClosing || phase_ == Phase::kLingering) {
    thrown_away_ += size;
    if (thrown_away_ > kLingerOctets) close_now();
    return;
  }
  std::string_view input(data, size);
  if (pending_.empty()) {
    advance(input);
    if (open()) pending_.append(input);
  } else {
    pending_.append(input);
    advance_pending();
  }
  if (!open()) return;
  if (phase_ == Phase::kReading) set_timer();
  look_at_input();
}

void Http1Server::advance_pending() {
  if (advancing_) return;
  std::string_view input = pending_.view();
  const size_t before = input.size();
  advance(input);
  if (open()) pending_.consume(std::min(pending_.size(), before - input.size()));
}

// Takes requests from `input` as long as one can be begun; a loop, since a handler that does not wait has returned
// before start() does.
void Http1Server::advance(std::string_view& input) {
  if (advancing_) return;
  advancing_ = true;
  for (;;) {
    if (phase_ == Phase::kClosing || phase_ == Phase::kLingering || phase_ == Phase::kClosed) break;
    if (!x_.in_ended_) take(input);
    if (phase_ == Phase::kReading) {
      if (!x_.has_head_) {
        if (eof_ && input.empty())
          begin_closing(false);
        else if (eof_)
          refuse(400, "the request was cut short");
        break;
      }
      start();
    }
    if (phase_ != Phase::kFinishing || !settle(!input.empty())) break;
    if (out_.size() >= kTurnWrite) break;
  }
  advancing_ = false;
}

void Http1Server::take(std::string_view& input) {
  const size_t before = x_.in_body_.size();
  bool news = false;
  if (raw_) {
    x_.in_body_.append(input);
    input = {};
  } else {
    for (;;) {
      Http1Parser::Event event = parser_.next(input);
      if (event == Http1Parser::Event::kHead) {
        if (secure()) x_.in_head_.scheme = "https";
        x_.has_head_ = news = true;
        continue;
      }
      if (event == Http1Parser::Event::kError && parser_.foreign() && !asked_before_) return close_now();
      if (event == Http1Parser::Event::kError) return refuse(parser_.error_status(), parser_.error_text());
      if (event == Http1Parser::Event::kEnd) x_.in_ended_ = news = true;
      break;
    }
  }
  unread_ += x_.in_body_.size() - before;
  if (phase_ == Phase::kServing && (news || x_.in_body_.size() != before)) x_.arrived_.notify_all();
}

void Http1Server::on_eof(int error) {
  eof_ = true;
  if (error) return gone(std::string("the connection was lost: ") + std::strerror(error));
  if (phase_ == Phase::kLingering) return close_now();
  if (phase_ == Phase::kReading) return advance_pending();
  if (phase_ == Phase::kFinishing && !x_.in_ended_) {
    write_response();
    return begin_closing(false);
  }
  if (phase_ == Phase::kClosing) return;
  if (raw_ && phase_ == Phase::kServing) {
    x_.in_ended_ = true;
    x_.arrived_.notify_all();
    return;
  }
  // A caller may close its half when it has asked; but half a request is no request.
  if (!x_.in_ended_) return gone("it closed the connection before its request was whole");
  // A Unix socket knows no reset, but tells a close from a closed half.
  if (phase_ == Phase::kServing && closed_both_ways(socket_)) return gone("it left before its answer");
  // One that closes while its answer streams and is silent has left: nothing else would tell until the next write, and
  // that may be long. Whether it is silent shows when the handler has had its turn.
  if (phase_ == Phase::kServing && x_.head_sent() && !raw_) {
    ask_if_silent_ = true;
    loop_.at_end_of_turn(*this);
  }
}

// ---- the handler ----

void Http1Server::start() {
  phase_ = Phase::kServing;
  asked_before_ = true;
  disarm();
  scope_.context().loop().count_call();
  scope_.spawn([this](Context& ctx) { return serve(ctx); });
}

Task<void> Http1Server::serve(Context& ctx) {
  struct Finish {  // also when an exception leaves serve(): the Scope reports it
    Http1Server& self;
    ~Finish() { self.finished(); }
  } finish{*this};
  context_ = &ctx;
  co_await handler_.serve(ctx, x_);
}

void Http1Server::finished() {
  context_ = nullptr;
  if (phase_ == Phase::kClosed) return close_now();
  if (phase_ != Phase::kServing) return;  // the connection has answered by itself and is closing
  if (!x_.out_head_sent_) {
    Metadata fields;
    fields.add("content-type", "text/plain; charset=utf-8");
    x_.send_head(scope_.context().cancelled() ? 503 : 500, fields, false);
    x_.send("no answer\n");
    x_.send_end(Metadata());
  } else if (!x_.out_ended_) {
    return abort();
  }
  phase_ = Phase::kFinishing;
  body_when_finished_ = parser_.body_octets();
  parser_.discard_body();
  unread_ = 0;
  if (paused_) loop_.at_end_of_turn(*this);
  if (advancing_) return;  // its loop goes on
  set_timer();
  advance_pending();
  if (!open()) return;
  if (phase_ == Phase::kReading) set_timer();
  look_at_input();
  want_write();
}

// The rest of a request's body is read away so that the connection can go on, unless that costs more than a new one.
bool Http1Server::rest_is_too_much() const {
  if (parser_.expects_continue() && !continued_ && parser_.body_octets() == 0) return true;  // it may never be sent
  if (parser_.has_length()) return parser_.length() - parser_.body_octets() > kDiscardLimit;
  return parser_.body_octets() - body_when_finished_ > kDiscardLimit;
}

// The handler has returned. True: the next request may begin. `more_came`: octets after this request.
bool Http1Server::settle(bool more_came) {
  write_response();
  if (!x_.response_.written()) return false;
  if (!x_.in_ended_ && (close_after_ || draining_ || raw_ || rest_is_too_much())) {
    begin_closing(true);
    return false;
  }
  if (!x_.in_ended_) return false;
  if (close_after_ || draining_) {
    begin_closing(more_came);
    return false;
  }
  begin_next();
  return true;
}

// Moves what the exchange has queued into out_.
void Http1Server::write_response() {
  if (!x_.out_head_sent_ || write_blocked() || out_.size() >= kTurnWrite) return;
  Http1Response::Asked asked;
  asked.head = x_.in_head_.method == "HEAD";
  asked.http11 = parser_.http11();
  asked.trailers = parser_.takes_trailers();
  asked.close =
      !parser_.keep_alive() || draining_ || close_after_ || (x_.out_ended_ && !x_.in_ended_ && rest_is_too_much());
  asked.keep_alive_10 = !asked.http11 && !asked.close;
  x_.response_.write(out_, kTurnWrite - out_.size(), asked, date());
  close_after_ |= x_.response_.must_close();
  x_.unsent_octets_ = x_.response_.held() + out_.size();
}

// ---- what leaves ----

void Http1Server::end_of_turn() {
  if (!open()) return;
  if (phase_ == Phase::kServing && x_.arrived_.waited_on()) x_.body_awaited();
  if (phase_ == Phase::kServing || phase_ == Phase::kFinishing) write_response();
  const uint64_t sent_before = octets_sent();
  if (!write_blocked() && !out_.empty()) write_out();
  if (!open()) return;
  if (phase_ == Phase::kServing) {
    // What goes out after the caller's end tells whether it still listens: here, or when the handler that waits for
    // room goes on.
    const bool tells = write_blocked() || octets_sent() != sent_before || x_.room_.waited_on();
    if (std::exchange(ask_if_silent_, false) && !tells && !x_.out_ended())
      return gone("it left while its answer was streamed");
    x_.unsent_octets_ = x_.response_.held() + out_.size();
    if (x_.unsent_octets_ < kUnsentLimit) x_.room_.notify_all();
    if (x_.response_.held()) want_write();
    if (raw_ && !pending_.empty()) advance_pending();  // what the peer sent before it saw our 101
  } else if (phase_ == Phase::kFinishing || phase_ == Phase::kReading) {
    const size_t before = out_.size();
    if (phase_ == Phase::kFinishing || !pending_.empty() || eof_) {
      advance_pending();
      if (!open()) return;
      if (phase_ == Phase::kReading) set_timer();
    }
    if (out_.size() != before || x_.response_.held()) want_write();
  }
  if (phase_ == Phase::kClosing && all_written()) {
    if (!linger_ || eof_) return close_now();
    shut_down_writing();
    phase_ = Phase::kLingering;
    set_timer();
  }
  if (paused_ && wants_input()) {
    paused_ = false;
    resume_reading();
  }
}

// The connection answers by itself, and ends.
void Http1Server::refuse(int status, std::string_view text) {
  if (phase_ == Phase::kFinishing) write_response();
  bool begun = x_.out_head_sent_ && x_.response_.begun();
  Phase before = phase_;
  if (before == Phase::kServing) break_exchange(Status::invalid_argument(std::string(text)), "it broke HTTP/1.1");
  if (!begun && before != Phase::kFinishing) append_refusal(out_, status, text, date(), x_.in_head_.method == "HEAD");
  begin_closing(true);
}

// What the handler still does with the exchange concerns nobody.
void Http1Server::break_exchange(Status error, const std::string& why) {
  x_.error_ = std::move(error);
  x_.response_.drop();
  x_.unsent_octets_ = 0;
  if (context_) context_->cancel(Status::cancelled("the caller has gone: " + why));
  x_.arrived_.notify_all();
  x_.room_.notify_all();
}

void Http1Server::gone(const std::string& why) {
  if (phase_ == Phase::kServing) break_exchange(Status::unavailable("the caller has gone: " + why), why);
  close_now();
}

// Ends the exchange so that its reader does not take the part for the whole.
void Http1Server::abort() {
  if (x_.out_head_sent_ && !write_blocked()) write_response();  // law 3: what was told leaves, if only in this turn
  if (x_.response_.ends_with_connection()) {
    struct linger now{1, 0};  // only a reset tells this from the body's end
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    break_exchange(Status::cancelled("the exchange was reset"), "the exchange was reset");
    return close_now();
  }
  break_exchange(Status::cancelled("the exchange was reset"), "the exchange was reset");
  begin_closing(!x_.in_ended_);
}

}  // namespace

Task<void> serve_http1(Context& ctx, Connected socket, const ServerOptions& options, std::string_view already_read,
                       ServerConnection** started) {
  Context own(ctx);
  Http1Server server(own, std::move(socket), options);
  if (started) *started = &server;
  co_await server.run(already_read);
  if (started) *started = nullptr;
}

}  // namespace duplex::http
