#include "http/http2_server.h"

#include "duplex/runtime/scope.h"
#include "http/http2_session.h"

namespace duplex::http {
namespace {

class Http2Server final : public ServerConnection, private Http2Session::Requests {
 public:
  Http2Server(Context& ctx, Connected socket, const ServerOptions& options)
      : scope_(ctx),
        handler_(*options.handler),
        session_(this, ctx.loop(), std::move(socket), options.limits),
        idle_limit_(options.limits.idle) {}

  void drain() override { session_.drain(); }
  void cancel(const Status& why) override { scope_.cancel(why); }

  Task<void> run(std::string_view already) {
    if (!session_.start(already)) co_return;
    while (!session_.over() && !scope_.context().cancelled()) co_await wait_while_used();
    co_await scope_.join();
    // Cancelled from above: what the calls answered goes out (nghttp2 sends no DATA and no trailers after the last
    // GOAWAY), then GOAWAY. A peer that does not read cannot hold us: each gets a second.
    auto answered = [this] { return session_.over() || session_.streams() == 0; };
    auto over = [this] { return session_.over(); };
    co_await wait_at_most_a_second(session_.changed(), answered);
    session_.end(0);
    co_await scope_.join();  // of calls that came meanwhile
    co_await wait_at_most_a_second(session_.ended(), over);
    session_.close_now(Status::unavailable("the connection has ended"));
  }

 private:
  // Whatever our Context says: it is cancelled by then.
  template <class Done>
  Task<void> wait_at_most_a_second(Notifier& notifier, const Done& done) {
    Context bounded(scope_.context().loop());
    bounded.set_deadline(after(bounded.loop().now(), std::chrono::seconds(1)));
    Status waited;
    while (waited.is_ok() && !done()) waited = co_await notifier.wait(bounded);
  }

  // Until the connection or its Context ends, or it was idle for too long (then it is cancelled).
  Task<void> wait_while_used() {
    Context watch(scope_.context());
    watch.set_deadline(after(watch.loop().now(), idle_limit_));
    uint64_t before = session_.octets_in();
    Status s = co_await session_.ended().wait(watch);
    if (s.code() == Code::kDeadlineExceeded && scope_.running() == 0 && session_.octets_in() == before) {
      if (session_.draining())  // told an idle time ago, and what is left is an answer that it does not take
        session_.close_now(Status::unavailable("the connection was idle for too long"));
      else
        session_.drain();
    }
  }

  void on_request(Http2Stream& stream) override {
    scope_.context().loop().count_call();
    scope_.spawn(Serving{*this, stream});
  }

  struct Serving {
    Http2Server& server;
    Http2Stream& stream;
    Task<void> operator()(Context& ctx) {
      server.session_.claim(stream, ctx);
      return server.handler_.serve(ctx, stream);
    }
    void ended() { server.session_.release(stream); }
  };

  Scope scope_;
  Handler& handler_;
  Http2Session session_;
  const Duration idle_limit_;
};

}  // namespace

Task<void> serve_http2(Context& ctx, Connected socket, const ServerOptions& options, std::string_view already,
                       ServerConnection** started) {
  Context own(ctx);
  Http2Server server(own, std::move(socket), options);
  if (started) *started = &server;
  co_await server.run(already);
  if (started) *started = nullptr;
}

}  // namespace duplex::http
