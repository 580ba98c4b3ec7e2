// A server that does as a test says, and a pool to it, on one loop.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "duplex/http/connection.h"
#include "duplex/http/pool.h"
#include "duplex/runtime/run.h"

namespace duplex {

class TestServer final : private http::Handler {
 public:
  using Serve = std::function<Task<void>(Context&, http::Exchange&)>;
  using Body = std::function<Task<void>(Context&, http::Pool&)>;

  // Runs `body` within 10 s with a pool of that version to a server whose exchanges are `serve`'s.
  static void run(http::Version version, Serve serve, Body body) {
    duplex::run([&](Context& ctx) -> Task<void> {
      TestServer server(ctx, std::move(serve));
      co_await server.call(ctx, version, body);
    });
  }

 private:
  TestServer(Context& ctx, Serve serve)
      : serve_(std::move(serve)),
        own_(ctx),
        scope_(own_),
        acceptor_(ctx.loop(), std::move(*listen_on(*Address::parse("127.0.0.1:0"))),
                  [this](Fd socket, std::string peer) { accept(std::move(socket), std::move(peer)); }) {
    options_.handler = this;
  }
  Task<void> serve(Context& ctx, http::Exchange& x) override { return serve_(ctx, x); }
  void accept(Fd socket, std::string peer) {
    scope_.spawn(
        [this](Context& ctx, int fd, std::string from) {
          return http::serve_connection(ctx, fd, std::move(from), options_, &started_);
        },
        socket.release(), std::move(peer));
  }
  Task<void> call(Context& ctx, http::Version version, const Body& body) {
    Context clients(ctx), bounded(ctx, std::chrono::seconds(10));
    Scope connecting(clients);
    http::PoolSettings settings;
    settings.version = version;
    {
      http::Pool pool(connecting, "peer", *Address::parse(acceptor_.address()), settings);
      co_await body(bounded, pool);
      EXPECT_FALSE(bounded.cancelled()) << "the test took too long";
      pool.close(Status::unavailable("over"));
      clients.cancel(Status::unavailable("over"));
      co_await connecting.join();
    }
    own_.cancel(Status::unavailable("over"));
    co_await scope_.join();
  }

  const Serve serve_;
  Context own_;
  Scope scope_;
  http::ServerOptions options_;
  http::ServerConnection* started_ = nullptr;
  Acceptor acceptor_;
};

// What a raw server answers with: a whole answer of a content-type and a body.
inline void answer(http::Exchange& x, int status, std::string_view type, std::string_view body, Metadata fields = {}) {
  Metadata head = std::move(fields);
  if (!type.empty()) head.add("content-type", type);
  x.send_head(status, head, false);
  x.send(body);
  x.send_end(Metadata());
}

}  // namespace duplex
