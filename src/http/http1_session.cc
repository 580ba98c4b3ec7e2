#include "http/http1_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "http/http1_text.h"

namespace duplex::http {
namespace {

constexpr size_t kUnreadLimit = 64 * 1024;  // body octets nobody has taken yet: past it the socket is not read
constexpr size_t kTurnWrite = 256 * 1024;   // what one turn puts together for the socket
constexpr size_t kMaxInterims = 32;         // 1xx heads before a final one
// How long a body waits for the 100 it asked for: some servers never send one (RFC 9110 section 10.1.1).
constexpr Duration kContinueWait = std::chrono::seconds(1);

bool is_sendable_target(std::string_view target) {
  if (target.empty() || (target.front() != '/' && target != "*")) return false;
  return std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

// Methods whose request means a body: an empty one is told by its length (RFC 9110 section 8.6).
bool has_content(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

}  // namespace

// ---- the request ----

void Http1Request::clear() {
  Http1Body::clear();
  lines_.clear();
  sends_empty_length_ = expects_continue_ = takes_trailers_ = false;
}

bool Http1Request::head(const Head& head) {
  if (!is_token(head.method) || head.method == "CONNECT" || !is_sendable_target(head.target)) return false;
  if (!is_authority(head.authority)) return false;
  lines_.append(head.method);
  lines_.append(' ');
  lines_.append(head.target);
  lines_.append(" HTTP/1.1\r\n");
  append_field(lines_, "host", head.authority);
  if (head.fields.find("host") || !write_fields(lines_, head.fields)) return false;
  if (auto te = head.fields.find("te"); te && *te == "trailers") lines_.append("te: trailers\r\nconnection: te\r\n");
  if (auto expect = head.fields.find("expect")) expects_continue_ = equals_ignoring_case(*expect, "100-continue");
  sends_empty_length_ = has_content(head.method);
  return true;
}

void Http1Request::write_head(Buffer& out) {
  head_written_ = true;
  out.append(lines_.view());
  if (has_length_)
    frame_by_length(out, length_);
  else if (!ended_ || (!trailers_.empty() && held()))
    frame_by_chunks(out);
  else if (held() || sends_empty_length_)
    frame_by_length(out, held());
  if (must_close_) out.append("connection: close\r\n");
  out.append("\r\n");
}

void Http1Request::write(Buffer& out, size_t room, bool body_may_go) {
  if (end_written_) return;
  if (!head_written_) write_head(out);
  if (body_may_go || (ended_ && !held())) write_body(out, room, true);
}

// ---- the exchange ----

const std::string& Http1ClientExchange::peer() const { return session_.peer_; }

void Http1ClientExchange::clear() {
  has_head_ = in_ended_ = out_head_sent_ = out_ended_ = unsent_ = false;
  in_head_ = Head();
  in_body_.clear();
  if (in_body_.capacity() > 16384) in_body_ = Buffer();
  in_trailers_ = Metadata();
  error_ = Status();
  unsent_octets_ = 0;
  request_.clear();
}

void Http1ClientExchange::consumed(size_t count) {
  Http1Session& s = session_;
  s.unread_ -= std::min(s.unread_, count);
  // Not read here: the caller may be in the middle of taking the body.
  if (s.paused_ && s.unread_ <= kUnreadLimit / 2 && s.SocketIo::open()) s.loop_.at_end_of_turn(s);
}

void Http1ClientExchange::send(std::string_view octets) {
  if (out_ended_ || session_.over_ || !error_.is_ok()) return;
  request_.append(octets);
  unsent_octets_ = request_.held() + session_.out_.size();
  session_.want_write();
}

void Http1ClientExchange::send_end(const Metadata& trailers) {
  if (out_ended_ || session_.over_ || !error_.is_ok()) return;
  out_ended_ = true;
  request_.end(trailers);
  session_.want_write();
}

void Http1ClientExchange::reset(Reset) { session_.abandon(Status::cancelled("the exchange was reset")); }

// ---- the connection ----

Http1Session::Http1Session(Loop& loop, Connected socket, const Limits& limits, Notifier& changed)
    : SocketIo(loop, socket.fd, std::move(socket.tls)),
      limits_(limits),
      peer_(std::move(socket.peer)),
      socket_(socket.fd),
      changed_(changed),
      parser_(Http1Parser::Kind::kResponse, limits.max_head),
      x_(*this),
      free_since_(loop.now()) {
  if (!start_io())
    close_now(Status::resource_exhausted("the loop cannot watch one more socket"));
  else if (Time due = after(loop.now(), limits.idle); due != kNever)
    loop.arm(*this, due);
}

// Whether something waits on the socket of a kept connection: its end, or a server's parting words, of which the loop
// has not heard yet. A request that left now would be lost, and nobody could say whether it was seen.
bool Http1Session::has_changed_its_mind() const {
  char octet;
  ssize_t n = ::recv(socket_, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n > 0 && secure()) return false;  // TLS's own, such as a ticket; who closes sends close_notify and FIN
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

Exchange* Http1Session::open(const Head& head, bool end) {
  if (kept_ && has_changed_its_mind()) {
    close_now(Status::unavailable("the connection was closed by the other side"));
    return nullptr;
  }
  x_.clear();
  in_use_ = true;
  reusable_ = false;
  sent_before_ = octets_sent();
  unread_ = interims_ = 0;
  disarm();
  if (!x_.request_.head(head)) {
    x_.error_ = Status::invalid_argument("HTTP/1.1 cannot carry this request's head");
    x_.unsent_ = true;
    x_.request_.drop();
    reusable_ = true;  // nothing of it leaves
    return &x_;
  }
  x_.out_head_sent_ = true;
  may_continue_ = !x_.request_.expects_continue();
  parser_.begin(x_.in_head_, x_.in_body_, x_.in_trailers_, head.method == "HEAD");
  if (end) x_.send_end(Metadata());
  want_write();
  return &x_;
}

void Http1Session::release() {
  in_use_ = false;
  disarm();
  bool refused = x_.unsent_ && reusable_;
  if (!over_ && !refused && !x_.in_ended_) return abandon(Status::cancelled("the exchange was left before its end"));
  if (!over_ && !refused && (!whole() || !reusable_))
    return close_now(Status::unavailable("its last exchange did not allow another"));
  if (!over_ && ending_) return close_now(Status::unavailable("the connection has ended"));
  if (over_) return;
  x_.clear();
  unread_ = 0;
  kept_ = true;
  free_since_ = loop_.now();
  if (paused_) loop_.at_end_of_turn(*this);
  if (Time due = after(loop_.now(), limits_.idle); due != kNever) loop_.arm(*this, due);
  changed_.notify_all();
}

// A server may take a plain close for a caller that has asked and now listens; a reset says that nobody does.
void Http1Session::abandon(const Status& why) {
  if (over_) return;
  struct linger now{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close_now(why);
}

void Http1Session::end() {
  ending_ = true;
  if (!in_use_) close_now(Status::unavailable("the connection has ended"));
}

void Http1Session::fire() {
  if (!in_use_) return close_now(Status::unavailable("the connection was idle for too long"));
  may_continue_ = true;  // no 100 came: the body goes without
  want_write();
}

void Http1Session::close_now(const Status& why) {
  if (over_) return;
  over_ = ending_ = true;
  why_over_ = why;
  close_socket();
  disarm();
  if (in_use_ && x_.error_.is_ok() && !x_.in_ended_) {
    x_.error_ = why;
    x_.unsent_ = octets_sent() == sent_before_;
  }
  x_.unsent_octets_ = 0;
  x_.request_.drop();
  x_.arrived_.notify_all();
  x_.room_.notify_all();
  changed_.notify_all();
  ended_.notify_all();
}

// ---- what arrives ----

void Http1Session::on_octets(const char* data, size_t size) {
  // What nobody asked for would be taken for the next answer.
  if (!in_use_ || x_.in_ended_ || !x_.error_.is_ok() || !x_.request_.begun())
    return close_now(Status::unavailable("the peer sent what nobody asked for"));
  std::string_view input(data, size);
  if (pending_.empty()) {
    take(input);
    pending_.append(input);
  } else {
    pending_.append(input);
    input = pending_.view();
    take(input);
    pending_.consume(pending_.size() - input.size());
  }
  if (over_) return;
  if (x_.in_ended_ && !pending_.empty()) reusable_ = false;  // a second answer to one request
  if (x_.in_ended_) pending_.clear();
  if (unread_ > kUnreadLimit) {
    paused_ = true;
    pause_reading();
  }
}

void Http1Session::take(std::string_view& input) {
  const size_t before = x_.in_body_.size();
  bool news = false;
  for (;;) {
    Http1Parser::Event event = parser_.next(input);
    if (event == Http1Parser::Event::kHead) {
      if (!take_head()) return;
      news |= x_.has_head_;
      continue;
    }
    if (event == Http1Parser::Event::kError)
      return close_now(Status::internal("the peer broke HTTP/1.1: " + std::string(parser_.error_text())));
    if (event == Http1Parser::Event::kEnd) {
      if (!x_.has_head_) {  // an interim answer: the final one follows
        parser_.begin(x_.in_head_, x_.in_body_, x_.in_trailers_, parser_.no_body());
        continue;
      }
      x_.in_ended_ = news = true;
      answered();
    }
    break;
  }
  unread_ += x_.in_body_.size() - before;
  if (news || x_.in_body_.size() != before) x_.arrived_.notify_all();
}

bool Http1Session::take_head() {
  const int status = x_.in_head_.status;
  if (status >= 200) {
    x_.has_head_ = true;
    // An answer that does not wait for the request's end may be to a request whose body the peer will read as another
    // request: this connection carries no other one.
    reusable_ = parser_.keep_alive() && !parser_.ends_with_connection() && x_.request_.written() && all_written();
    if (status >= 300 && !x_.request_.written()) stop_sending();
    return true;
  }
  if (status == 101) {  // we never ask for it
    close_now(Status::internal("the peer switched protocols unasked"));
    return false;
  }
  if (++interims_ > kMaxInterims) {
    close_now(Status::internal("the peer sends interim answers without end"));
    return false;
  }
  if (status == 100 && !may_continue_) {
    may_continue_ = true;
    disarm();
    want_write();
  }
  x_.in_head_ = Head();
  return true;
}

// The answer is there before the request's end: the rest of the body is of no use.
void Http1Session::stop_sending() {
  x_.request_.drop();
  x_.out_ended_ = true;
  x_.unsent_octets_ = 0;
  reusable_ = false;
  x_.room_.notify_all();
}

void Http1Session::answered() {
  if (!x_.request_.written() || !all_written()) {
    reusable_ = false;
    stop_sending();
  }
  disarm();
  if (!reusable_) ending_ = true;
}

void Http1Session::on_eof(int error) {
  // A peer that refuses an upload answers and closes; our write then fails before its answer was read.
  while (error && in_use_ && !over_ && !x_.in_ended_) {
    char octets[4096];
    ssize_t n = ::recv(socket_, octets, sizeof octets, MSG_DONTWAIT);
    if (n <= 0) {
      if (n == 0) error = 0;
      break;
    }
    from_network(octets, static_cast<size_t>(n));
  }
  if (in_use_ && !error && x_.request_.begun() && !x_.in_ended_ && x_.has_head_ &&
      parser_.finish() == Http1Parser::Event::kEnd) {
    x_.in_ended_ = true;
    reusable_ = false;
  }
  close_now(Status::unavailable(error ? "the connection was lost: " + std::string(std::strerror(error))
                                      : std::string("the connection was closed by the other side")));
}

// ---- what leaves ----

void Http1Session::write_request() {
  if (!in_use_ || !x_.error_.is_ok() || write_blocked() || out_.size() >= kTurnWrite) return;
  x_.request_.write(out_, kTurnWrite - out_.size(), may_continue_);
}

void Http1Session::end_of_turn() {
  if (over_) return;
  write_request();
  if (!write_blocked() && !out_.empty()) write_out();
  if (over_) return;
  if (in_use_) {
    if (!may_continue_ && !armed()) loop_.arm(*this, after(loop_.now(), kContinueWait));
    x_.unsent_octets_ = x_.request_.held() + out_.size();
    if (x_.unsent_octets_ < kUnsentLimit) x_.room_.notify_all();
    if (x_.request_.held() && may_continue_) want_write();
  }
  if (paused_ && unread_ <= kUnreadLimit / 2) {
    paused_ = false;
    resume_reading();
  }
}

}  // namespace duplex::http
