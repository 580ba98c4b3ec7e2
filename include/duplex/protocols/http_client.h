// The client half of plain HTTP: requests that no contract describes, to any peer and under the same chain as its
// calls.
//
//   Result<plain::Answer> page = co_await plain::fetch(*payments, ctx, plain::Request("GET", "/metrics"));
//
// For bodies that are streamed, stream() runs code of the caller's beside the exchange. Below both, a Call whose Method
// is a plain one ("http:GET") has the pseudo-metadata ":method", ":path" and, if another one is wanted than the peer's
// own, ":authority" in front of its fields, as the server half gives it; so a handler may pass its own Call on.
//
// fetch() and stream() are OK when the exchange went through, whatever its HTTP status: that stands in the answer's
// head, as ":status". The Client's own Outcome, which filters see, has it too from 400 on (Outcome::http_status), and
// is a failure for 429, 502, 503 and 504, by which a server or what stands before it says that it could not serve; head
// and body have been handed to the Sink then. The server half answers with what a handler passes on so.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "duplex/http/pool.h"
#include "duplex/service/pipe.h"
#include "duplex/service/service.h"

namespace duplex {
class Callee;
}

namespace duplex::plain {

class Request {
 public:
  Request() = default;
  Request(std::string verb, std::string target, Bytes content = {})
      : method(std::move(verb)), path(std::move(target)), body(std::move(content)) {}
  std::string method = "GET";
  std::string path = "/";  // and query, percent-encoded
  Metadata fields;         // names in lower case; those of the connection and its framing are left out
  Bytes body;
};

class Answer {
 public:
  Answer() = default;
  int status = 0;
  Metadata fields, trailers;
  Bytes body;
};

// One exchange with both bodies whole. It has the peer's default deadline, and is made again elsewhere if it surely was
// not seen. RESOURCE_EXHAUSTED: the answer's body has more octets than `max_body`.
Task<Result<Answer>> fetch(Service& peer, Context& ctx, const Request& request, size_t max_body = 4 << 20);

// One exchange whose bodies are streamed: `request.body` is not used, the caller's `body` writes to `upload` (close()
// ends it) and reads from `answer` (wait_head(), then metadata() with ":status", then next() until nullopt). No default
// deadline. Leaving before the answer's end breaks the exchange off, and is OK. As the typed streams of typed_client.h.
using Body = std::function<Task<Status>(Context&, Pipe& upload, Pipe& answer)>;
Task<Status> stream(Service& peer, Context& ctx, const Request& request, Body body);

// The HTTP status of an answer's metadata; 0: there is none.
int status_of(const Metadata& head);
// Is this a Method of plain HTTP, a route's or a request's?
bool is_plain(const Method& method);

struct ClientSettings {
  std::string name;       // of the peer, for errors
  std::string authority;  // "host"; empty: the endpoint's address
};

class Client final : public Service {
 public:
  // `pool` outlives the client.
  Client(http::Pool& pool, ClientSettings settings);
  ~Client() override;
  Task<Outcome> call(Context& ctx, Call& call) override;

 private:
  const std::unique_ptr<Callee> callee_;
};

}  // namespace duplex::plain
