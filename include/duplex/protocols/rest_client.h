// The client half of REST: a Call of a contract's method becomes the HTTP request that its google.api.http rule says,
// and the answer the reply and the Outcome.
//
// The rule is the method's first that the request fits: path variables are filled in percent-encoded, `body` travels as
// JSON, all other fields as query parameters. The time that is left travels as `grpc-timeout`, which the server half
// reads, as do others that serve a contract over REST. Metadata travels as fields, but for binary values ("-bin").
//
// An answer that is not 2xx is a Status: by its problem document (RFC 9457) with code, message and details, else by its
// HTTP status; its fields (such as `retry-after`) are then the Outcome's trailers. Else its fields are the reply's
// head. A stream of replies is read as NDJSON or as Server-Sent Events, as the answer's content-type says; one that
// breaks is not resumed. Redirects are not followed.
//
// UNIMPLEMENTED: a method without a rule, and one whose caller streams; the peer is not asked.
#pragma once

#include <memory>
#include <string>

#include "duplex/http/pool.h"
#include "duplex/service/service.h"

namespace duplex {
class Callee;
}

namespace duplex::rest {

struct ClientSettings {
  std::string name;              // of the peer, for errors
  size_t max_message = 4 << 20;  // octets of one reply as JSON: RESOURCE_EXHAUSTED past it
  std::string authority;         // "host"; empty: the endpoint's address
};

class Client final : public Service {
 public:
  // `pool` outlives the client.
  Client(http::Pool& pool, ClientSettings settings);
  ~Client() override;
  Task<Outcome> call(Context& ctx, Call& call) override;

 private:
  const std::unique_ptr<Callee> callee_;
  const size_t max_message_;
};

}  // namespace duplex::rest
