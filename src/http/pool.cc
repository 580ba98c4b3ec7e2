#include "duplex/http/pool.h"

#include <algorithm>

#include "duplex/base/random.h"
#include "duplex/http/http1.h"
#include "duplex/http/http2_client.h"

namespace duplex::http {

Pool::Pool(Scope& scope, std::string name, Address endpoint, PoolSettings settings)
    : scope_(scope),
      name_(std::move(name)),
      endpoint_(std::move(endpoint)),
      settings_(settings),
      max_connections_(settings.max_connections              ? settings.max_connections
                       : settings.version == Version::kHttp2 ? 4
                                                             : 32) {}

Pool::~Pool() = default;

void Pool::drop_dead() {
  std::erase_if(clients_, [](const auto& client) { return !client->usable(); });
}

std::shared_ptr<ClientConnection> Pool::with_room() const {
  const std::shared_ptr<ClientConnection>* best = nullptr;
  auto better = [](const ClientConnection& a, const ClientConnection& b) {
    return a.exchanges() != b.exchanges() ? a.exchanges() < b.exchanges() : a.free_since() > b.free_since();
  };
  for (auto& client : clients_)
    if (client->has_room() && (!best || better(*client, **best))) best = &client;
  return best ? *best : nullptr;
}

bool Pool::failing() const { return clients_.empty() && failures_ > 0 && scope_.context().loop().now() < not_before_; }

size_t Pool::load() const {
  size_t n = waiting_;
  for (auto& client : clients_) n += client->exchanges();
  return n;
}

void Pool::connect() {
  if (closed_ || (failures_ > 0 && scope_.context().loop().now() < not_before_)) return;
  // One HTTP/2 connection serves all who wait; over HTTP/1.1 each of them needs one.
  const size_t wanted = settings_.version == Version::kHttp2 ? 1 : waiting_;
  size_t more = wanted - std::min(wanted, connecting_);
  const int failures = failures_;
  // Each may be over at once (a Unix socket): one that failed ends the matter.
  for (; more > 0 && failures_ == failures && clients_.size() + connecting_ < max_connections_; --more) {
    ++connecting_;
    scope_.spawn([this](Context& ctx) { return connect_now(ctx); });
  }
}

std::shared_ptr<ClientConnection> Pool::make_client(Loop& loop, Connected socket) {
  if (settings_.version == Version::kHttp2)
    return std::make_shared<Http2Client>(loop, std::move(socket), settings_.limits, changed_);
  return std::make_shared<Http1Client>(loop, std::move(socket), settings_.limits, changed_);
}

Task<Result<Connected>> Pool::dial(Context& ctx) {
  Result<Fd> fd = co_await connect_to(ctx, endpoint_);
  if (!fd) co_return fd.error();
  Connected socket(-1, endpoint_.to_string());
  if (settings_.tls) {
    const std::string protocol = settings_.version == Version::kHttp2 ? "h2" : "http/1.1";
    const std::string& name = settings_.tls_name.empty() ? endpoint_.host() : settings_.tls_name;
    socket.tls = settings_.tls->connect(name, std::vector<std::string>(1, protocol));
    if (!socket.tls) co_return Status::resource_exhausted("TLS: no memory for one more connection");
    Buffer early;  // a server of HTTP does not speak first, and what it may send is its SETTINGS
    Status s = co_await tls_handshake(ctx, fd->get(), *socket.tls, early);
    if (!s.is_ok()) co_return s;
    if (socket.tls->protocol() != protocol && (settings_.version == Version::kHttp2 || !socket.tls->protocol().empty()))
      co_return Status::unavailable("TLS: the other side does not speak " + protocol + " (ALPN)");
    if (settings_.version != Version::kHttp2 && !early.empty())
      co_return Status::unavailable("the other side spoke before it was asked: it does not speak HTTP/1.1");
    socket.early = early.take();
  }
  socket.fd = fd->release();
  co_return socket;
}

// Attempts that fail together count once.
void Pool::connect_failed(Time now) {
  if (now < not_before_) return;
  ++failures_;
  double longest =
      static_cast<double>(settings_.backoff_base.count()) * static_cast<double>(1 << std::min(failures_ - 1, 20));
  longest = std::min(longest, static_cast<double>(settings_.backoff_cap.count()));
  not_before_ = after(now, Duration(static_cast<int64_t>(longest * random_unit())));
}

Task<void> Pool::connect_now(Context& ctx) {
  struct Count {
    size_t& n;
    explicit Count(size_t& tasks) : n(tasks) { ++n; }
    ~Count() { --n; }
  } count(tasks_);
  std::shared_ptr<ClientConnection> client;
  {
    Context bounded(ctx, settings_.connect_timeout);
    Result<Connected> socket = co_await dial(bounded);
    if (socket) {
      client = make_client(ctx.loop(), std::move(*socket));
    } else {
      last_failure_ = socket.error().code() == Code::kDeadlineExceeded
                          ? Status::unavailable("no answer within " + show_duration(settings_.connect_timeout))
                          : socket.error();
    }
  }
  --connecting_;
  if (!client || closed_) {
    connect_failed(ctx.loop().now());
    changed_.notify_all();
    co_return;
  }
  failures_ = 0;
  clients_.push_back(client);
  co_await keep(ctx, std::move(client));
}

Task<Result<Pool::Lease>> Pool::open(Context& ctx, const MakeHead& make_head, bool end) {
  struct Count {
    size_t& n;
    bool counted = false;
    ~Count() { n -= counted; }
  } waiting{waiting_};
  for (;;) {
    if (ctx.cancelled()) co_return ctx.why();
    if (closed_) co_return Status::unavailable(name_ + " (" + endpoint_.to_string() + "): the client is closed");
    drop_dead();
    if (std::shared_ptr<ClientConnection> client = with_room()) {
      Head head = make_head();
      head.scheme = settings_.tls ? "https" : "http";
      Exchange* x = client->open(head, end);
      if (!x) continue;  // not usable any more
      co_return Lease(std::move(client), *x);
    }
    if (failing())
      co_return Status::unavailable(name_ + " (" + endpoint_.to_string() +
                                    ") cannot be reached: " + last_failure_.message());
    if (!waiting.counted) {
      if (waiting_ >= settings_.max_waiting)
        co_return Status::resource_exhausted(name_ + ": " + std::to_string(waiting_) +
                                             " calls wait for a connection already");
      waiting.counted = true;
      ++waiting_;
    }
    const int failures = failures_;
    connect();
    Status s;
    // A connect may be over at once (a Unix socket, no route); then it has notified before anybody waited.
    if (failures_ == failures && !with_room()) {
      Context bounded(ctx);  // a pause after a failure ends by itself
      if (!connecting_ && failures_ > 0 && clients_.size() < max_connections_) bounded.set_deadline(not_before_);
      s = co_await changed_.wait(bounded);
      if (!s.is_ok() && !ctx.cancelled()) continue;
    }
    if (!s.is_ok()) {
      if (s.code() == Code::kDeadlineExceeded && clients_.empty())
        co_return Status::deadline_exceeded(name_ + " (" + endpoint_.to_string() + "): no connection in time");
      co_return s;
    }
    if (failures_ > failures && clients_.empty())
      co_return Status::unavailable(name_ + " (" + endpoint_.to_string() +
                                    ") cannot be reached: " + last_failure_.message());
  }
}

Task<void> Pool::keep(Context& ctx, std::shared_ptr<ClientConnection> client) {
  changed_.notify_all();
  Status waited;
  while (waited.is_ok() && !client->over()) waited = co_await client->ended().wait(ctx);
  if (!client->over()) client->close_now(Status::unavailable("the client is closed"));
  std::erase(clients_, client);
  changed_.notify_all();
}

void Pool::close(const Status& why) {
  closed_ = true;
  for (auto& client : clients_) client->close_now(why);
  changed_.notify_all();
}

}  // namespace duplex::http
