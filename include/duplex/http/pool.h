// Pool: the HTTP/2 connections of one loop to one endpoint. It connects when somebody needs it, waits a growing time
// after a failure, and shares each connection among its callers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "duplex/http/http2_client.h"
#include "duplex/runtime/scope.h"
#include "duplex/runtime/socket.h"

namespace duplex::http {

struct PoolSettings {
  Duration connect_timeout = std::chrono::seconds(2);
  Duration backoff_base = std::chrono::milliseconds(50);  // doubles with each failure, up to the cap; with full jitter
  Duration backoff_cap = std::chrono::seconds(5);
  size_t max_connections = 4;  // to the endpoint, of this loop; opened only when those there are full
  size_t max_waiting = 1024;   // callers that wait for a stream: RESOURCE_EXHAUSTED past it
  Limits limits;
};

class Pool {
 public:
  // `name` is what errors call the endpoint: "payments". Connecting runs in `scope`, which outlives the pool's use.
  Pool(Scope& scope, std::string name, Address endpoint, PoolSettings settings);
  ~Pool();
  Pool(const Pool&) = delete;

  class Lease {
   public:
    Lease(std::shared_ptr<Http2Client> client, Exchange& exchange) : client_(std::move(client)), x_(&exchange) {}
    Lease(Lease&& o) noexcept : client_(std::move(o.client_)), x_(std::exchange(o.x_, nullptr)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (x_) client_->release(*x_);
    }
    Exchange& exchange() const { return *x_; }

   private:
    std::shared_ptr<Http2Client> client_;
    Exchange* x_;
  };
  using MakeHead = std::function<Head()>;

  // An open exchange whose request head is queued: `make_head` is asked when there is room, so that what it says of the
  // time left is true then. UNAVAILABLE names the endpoint, its address and what failed; nothing was sent then.
  Task<Result<Lease>> open(Context& ctx, const MakeHead& make_head, bool end);

  const Address& endpoint() const { return endpoint_; }
  // No more connections; what is under way breaks with `why`.
  void close(const Status& why);
  // How many exchanges are under way or wait.
  size_t load() const;
  // The last attempt to connect failed, and the next is not due yet.
  bool failing() const;
  // Nothing of it runs in its scope any more: it may be destroyed.
  bool idle() const { return tasks_ == 0; }

 private:
  struct Connecting;
  Http2Client* with_room();
  void drop_dead();
  void connect();
  Task<void> connect_now(Context& ctx);
  Task<void> keep(Context& ctx, std::shared_ptr<Http2Client> client);

  Scope& scope_;
  const std::string name_;
  const Address endpoint_;
  const PoolSettings settings_;
  std::vector<std::shared_ptr<Http2Client>> clients_;
  bool connecting_ = false, closed_ = false;
  int failures_ = 0;
  size_t waiting_ = 0, tasks_ = 0;
  Time not_before_{};
  Status last_failure_;
  Notifier changed_;
};

}  // namespace duplex::http
