// Exchange: one HTTP request and its response, the same over HTTP/1.1 and HTTP/2, seen from either side.
//
// What arrives is put there by the connection and read by the protocol above: head, body bytes, trailers. What leaves
// is queued and goes out with the turn's one write. Nothing here makes a system call or resumes a coroutine.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/metadata.h"
#include "duplex/base/status.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"
#include "duplex/runtime/wait.h"

namespace duplex::http {

enum class Version : uint8_t { kHttp11, kHttp2 };

// HTTP/2 error codes that the layers above use (RFC 9113 section 7); HTTP/1.1 closes the connection instead.
enum class Reset : uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
  kInadequateSecurity = 12,
};

// A request's or response's first part. In a request `status` is 0; in a response only `status` and `fields` count.
struct Head {
  std::string method;     // "GET"
  std::string target;     // "/v1/orders/7?view=full": path and query as they came
  std::string authority;  // "localhost:8080"
  std::string scheme;     // "http"
  int status = 0;
  Metadata fields;  // the regular fields, names in lower case, values as they came
};

// How many octets of a stream may wait to be sent before a writer waits (law 3).
inline constexpr size_t kUnsentLimit = 64 * 1024;

class Exchange {
 public:
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Version version() const { return version_; }
  // The other side: "10.0.0.7:51324".
  virtual const std::string& peer() const = 0;

  // ---- what arrives ----
  // The request (server) or the final response (client); has_head() tells whether it is there yet.
  const Head& head() const { return in_head_; }
  bool has_head() const { return has_head_; }
  // Body octets that arrived and were not taken.
  Buffer& body() { return in_body_; }
  // No more body will arrive, and trailers() is whole.
  bool ended() const { return in_ended_; }
  const Metadata& trailers() const { return in_trailers_; }
  // Not OK: the exchange is broken (reset, connection lost). `reset_code` then tells HTTP/2's reason, if there was one.
  const Status& error() const { return error_; }
  uint32_t reset_code() const { return reset_code_; }
  // The peer surely never processed this exchange (refused, GOAWAY below its id, never left).
  bool unsent() const { return unsent_; }
  // Something above changed: look again. One waiter.
  Notifier& arrived() { return arrived_; }
  // `count` octets of the body were taken: gives the stream's flow-control credit back (law 5). Does not touch body().
  virtual void consumed(size_t count) = 0;
  // wait_body() is about to wait: HTTP/1.1 answers an `expect: 100-continue` now.
  virtual void body_awaited() {}

  // ---- what leaves ----
  bool head_sent() const { return out_head_sent_; }
  // Server: the response's head. `end`: no body follows. Once.
  virtual void send_head(int status, const Metadata& fields, bool end) = 0;
  // Body octets. After the head.
  virtual void send(std::string_view octets) = 0;
  // The end of what leaves, with trailers (empty: none; HTTP/1.1 sends them only in a chunked body).
  virtual void send_end(const Metadata& trailers) = 0;
  // Ends both directions now.
  virtual void reset(Reset code) = 0;
  // A 1xx head (server).
  virtual void send_interim(int status, const Metadata& fields) = 0;
  bool out_ended() const { return out_ended_; }
  // Octets queued that have not gone into a write yet.
  size_t unsent_octets() const { return unsent_octets_; }
  // unsent_octets() fell below kUnsentLimit, or the exchange broke.
  Notifier& room() { return room_; }

 protected:
  explicit Exchange(Version version) : version_(version) {}
  virtual ~Exchange() = default;

  Version version_;
  bool has_head_ = false, in_ended_ = false, out_head_sent_ = false, out_ended_ = false, unsent_ = false;
  uint32_t reset_code_ = 0;
  Head in_head_;
  Buffer in_body_;
  Metadata in_trailers_;
  Status error_;
  size_t unsent_octets_ = 0;
  Notifier arrived_, room_;
};

// Waits until body octets are there, the body has ended, or the exchange broke (its error). Hears ctx.
Task<Status> wait_body(Context& ctx, Exchange& x);
// Waits until there is room to send. Not OK: broken or cancelled.
Task<Status> wait_room(Context& ctx, Exchange& x);

// Who answers a server's requests: one call of serve() an exchange, on the connection's loop. The exchange lives until
// serve() has returned; if it then has not ended, it is reset. ctx is cancelled when the peer resets or goes away.
class Handler {
 public:
  virtual Task<void> serve(Context& ctx, Exchange& exchange) = 0;

 protected:
  ~Handler() = default;
};

// What a connection may grow to; each limit says what happens at it.
struct Limits {
  size_t max_head = 64 * 1024;              // octets of one head: HTTP/1.1 431, HTTP/2 the stream is refused
  size_t max_streams = 100;                 // concurrent exchanges of an HTTP/2 connection: REFUSED_STREAM
  size_t max_unread = 4 << 20;              // unread octets on a connection before its credit is held (law 5)
  Duration idle = std::chrono::minutes(5);  // a connection with no exchange is closed
  // HTTP/2: what the peer does not take. A stream whose user is done and of whose rest less than 16 KiB leave in that
  // time is reset (CANCEL); a connection of which the system takes nothing is closed. What a user still waits for ends
  // with its Context.
  Duration send_stall = std::chrono::seconds(60);
  Duration handshake_timeout = std::chrono::seconds(10);  // a TLS handshake that is not done: closed
  Duration head_timeout = std::chrono::seconds(30);       // a head that does not come whole: 408 and close
};

}  // namespace duplex::http
