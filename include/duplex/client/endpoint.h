// Endpoint: one address of a peer: its Service, and whether it is known to be down at the moment.
#pragma once

#include "duplex/base/time.h"
#include "duplex/service/service.h"

namespace duplex::client {

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  // Takes the peer's calls, gRPC's or REST's; "/grpc.health.v1.Health/Check" where the peer speaks gRPC, and plain
  // requests ("http:GET") too, if it is to be checked so.
  virtual Service& service() = 0;
  virtual bool failing() const = 0;
  // While failing: when it will be tried again. Time(): it does not say.
  virtual Time failing_until() const { return Time(); }
  virtual void close(const Status& why) = 0;
  virtual bool idle() const = 0;  // closed, and nothing of it runs any more: it may be destroyed
};

}  // namespace duplex::client
