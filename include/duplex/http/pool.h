// Pool: the connections of one loop to one endpoint, all of one version of HTTP. It connects when somebody needs it and
// waits a growing time after a failure. Callers share an HTTP/2 connection; one of HTTP/1.1 is kept between exchanges,
// and of those that are free the one that was used last is taken, so that what is not needed any more grows old.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "duplex/http/client_connection.h"
#include "duplex/http/connected.h"
#include "duplex/runtime/scope.h"
#include "duplex/runtime/socket.h"

namespace duplex::http {

struct PoolSettings {
  Version version = Version::kHttp2;  // in the clear HTTP/2 is by prior knowledge; over TLS it is asked for by ALPN
  Duration connect_timeout = std::chrono::seconds(2);
  Duration backoff_base = std::chrono::milliseconds(50);  // doubles with each failure, up to the cap; with full jitter
  Duration backoff_cap = std::chrono::seconds(5);
  // To the endpoint, of this loop; opened only when those there are full. 0: 4, or 32 over HTTP/1.1.
  size_t max_connections = 0;
  // Connections are TLS's: null: in the clear. Its certificate must be that of `tls_name`, unless the TLS settings name
  // another.
  std::shared_ptr<TlsClient> tls{};
  std::string tls_name{};
  size_t max_waiting = 1024;  // callers that wait for their turn: RESOURCE_EXHAUSTED past it
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
    Lease(std::shared_ptr<ClientConnection> client, Exchange& exchange) : client_(std::move(client)), x_(&exchange) {}
    Lease(Lease&& o) noexcept : client_(std::move(o.client_)), x_(std::exchange(o.x_, nullptr)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (x_) client_->release(*x_);
    }
    Exchange& exchange() const { return *x_; }

   private:
    std::shared_ptr<ClientConnection> client_;
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
  // While failing(): when the next is due.
  Time failing_until() const { return not_before_; }
  // Nothing of it runs in its scope any more: it may be destroyed.
  bool idle() const { return tasks_ == 0; }

 private:
  std::shared_ptr<ClientConnection> with_room() const;
  void drop_dead();
  void connect();
  std::shared_ptr<ClientConnection> make_client(Loop& loop, Connected socket);
  Task<Result<Connected>> dial(Context& ctx);
  void connect_failed(Time now);
  Task<void> connect_now(Context& ctx);
  Task<void> keep(Context& ctx, std::shared_ptr<ClientConnection> client);

  Scope& scope_;
  const std::string name_;
  const Address endpoint_;
  const PoolSettings settings_;
  const size_t max_connections_;
  std::vector<std::shared_ptr<ClientConnection>> clients_;
  size_t connecting_ = 0;
  bool closed_ = false;
  int failures_ = 0;
  size_t waiting_ = 0, tasks_ = 0;
  Time not_before_{};
  Status last_failure_;
  Notifier changed_;
};

}  // namespace duplex::http
