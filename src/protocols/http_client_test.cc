// The client half of plain HTTP against our own server half and against raw servers.
#include "duplex/protocols/http_client.h"

#include <gtest/gtest.h>

#include "duplex/protocols/http_server.h"
#include "protocols/test_server.h"

namespace duplex::plain {
namespace {

using namespace std::chrono_literals;
using http::Version;

const Method kRoute("http:POST /echo", true, true);

// Answers 201 with what it was asked in fields, and the body as it comes.
class Echo final : public Service {
 public:
  Task<Outcome> call(Context& ctx, Call& c) override {
    Metadata head;
    head.add(":status", "201");
    for (const char* name : {":method", ":path", ":authority", "x-of-caller"})
      if (auto value = c.metadata.find(name)) head.add("x-" + std::string(name + (*name == ':')), *value);
    if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
    for (;;) {
      Result<std::optional<Message>> m = co_await c.in->next(ctx);
      if (!m) co_return m.error();
      if (!*m) co_return Outcome();
      if (Status s = co_await c.out->write(ctx, std::move(**m)); !s.is_ok()) co_return s;
    }
  }
};

Task<Result<Answer>> fetch_from(http::Pool& pool, Context& ctx, const Request& request, size_t most = 4 << 20) {
  ClientSettings settings;
  settings.name = "peer";
  Client client(pool, settings);
  co_return co_await fetch(client, ctx, request, most);
}

class HttpClientOver : public testing::TestWithParam<Version> {
 protected:
  void with_echo(TestServer::Body body) {
    TestServer::run(
        GetParam(), [this](Context& ctx, http::Exchange& x) { return serve(ctx, x, kRoute, echo_); }, std::move(body));
  }
  void with(TestServer::Serve serve, TestServer::Body body) {
    TestServer::run(GetParam(), std::move(serve), std::move(body));
  }

 private:
  Echo echo_;
};
INSTANTIATE_TEST_SUITE_P(Both, HttpClientOver, testing::Values(Version::kHttp11, Version::kHttp2),
                         [](const auto& p) { return p.param == Version::kHttp2 ? "Http2" : "Http11"; });

TEST_P(HttpClientOver, OneRequestAndItsAnswerWhole) {
  with_echo([](Context& ctx, http::Pool& pool) -> Task<void> {
    for (const char* body : {"hello", ""}) {
      Request request("POST", "/echo?x=1", Bytes::copy(body));
      request.fields.add("x-of-caller", "v");
      request.fields.add("connection", "close");  // not the caller's to say
      Result<Answer> a = co_await fetch_from(pool, ctx, request);
      EXPECT_TRUE(a) << a.error().to_string();
      if (!a) co_return;
      EXPECT_EQ(a->status, 201);
      EXPECT_EQ(a->body.view(), body);
      EXPECT_EQ(a->fields.find("x-method"), "POST");
      EXPECT_EQ(a->fields.find("x-path"), "/echo?x=1");
      EXPECT_EQ(a->fields.find("x-authority"), pool.endpoint().to_string());
      EXPECT_EQ(a->fields.find("x-x-of-caller"), "v");
      EXPECT_FALSE(a->fields.find(":status"));
    }
  });
}

TEST_P(HttpClientOver, AnHttpErrorIsAnAnswer) {
  with(
      [](Context&, http::Exchange& x) {
        answer(x, 404, "text/plain", "nothing here");
        return Task<void>::ready();
      },
      [](Context& ctx, http::Pool& pool) -> Task<void> {
        Request request("GET", "/");
        Result<Answer> a = co_await fetch_from(pool, ctx, request);
        EXPECT_TRUE(a && a->status == 404 && a->body.view() == "nothing here");
        a = co_await fetch_from(pool, ctx, request, 5);
        EXPECT_EQ(a.error().code(), Code::kResourceExhausted);
      });
}

// To filters, the statuses by which a server could not serve are failures; the caller has the answer all the same.
TEST_P(HttpClientOver, AServerThatCouldNotServeIsAFailureToFiltersAndAnAnswerToTheCaller) {
  int status = 0;
  const std::pair<int, Code> cases[] = {{200, Code::kOk},
                                        {404, Code::kOk},
                                        {500, Code::kOk},
                                        {429, Code::kResourceExhausted},
                                        {502, Code::kUnavailable},
                                        {503, Code::kUnavailable},
                                        {504, Code::kDeadlineExceeded}};
  with(
      [&](Context&, http::Exchange& x) {
        answer(x, status, "text/plain", "so it is");
        return Task<void>::ready();
      },
      [&](Context& ctx, http::Pool& pool) -> Task<void> {
        ClientSettings settings;
        settings.name = "peer";
        Client client(pool, settings);
        for (auto [http_status, code] : cases) {
          status = http_status;
          Keep out;
          One in{Message()};
          Call call(kRoute, Metadata(), in, out);
          Outcome outcome = co_await client.call(ctx, call);
          EXPECT_EQ(outcome.status.code(), code) << http_status;
          EXPECT_EQ(outcome.http_status, http_status < 400 ? 0 : http_status);
          EXPECT_EQ(status_of(out.metadata), http_status);
          EXPECT_TRUE(out.message && out.message->bytes.view() == "so it is");
          if (code != Code::kOk) {
            const std::string end = ") answered HTTP " + std::to_string(http_status);
            EXPECT_TRUE(outcome.status.message().ends_with(end)) << outcome.status.message();
          }

          Request request("GET", "/");
          Result<Answer> a = co_await fetch(client, ctx, request);
          EXPECT_TRUE(a && a->status == http_status && a->body.view() == "so it is");
          std::string body;
          Body read = [&](Context& c, Pipe& upload, Pipe& back) -> Task<Status> {
            upload.close();
            for (;;) {
              NextResult m = co_await back.next(c);
              if (!m) co_return m.error();
              if (!*m) co_return Status();
              body += (**m).bytes.view();
            }
          };
          Status streamed = co_await stream(client, ctx, request, read);
          EXPECT_TRUE(streamed.is_ok()) << streamed.to_string();
          EXPECT_EQ(body, "so it is");
        }
      });
}

TEST_P(HttpClientOver, ABreakInTheMiddleIsNoWholeAnswer) {
  with(
      [](Context& ctx, http::Exchange& x) -> Task<void> {
        x.send_head(200, Metadata(), false);
        x.send("half");
        while (x.unsent_octets()) (void)co_await yield(ctx);
        x.reset(http::Reset::kInternalError);
      },
      [](Context& ctx, http::Pool& pool) -> Task<void> {
        Request request("GET", "/");
        Result<Answer> a = co_await fetch_from(pool, ctx, request);
        EXPECT_FALSE(a);
        EXPECT_TRUE(a.error().message().starts_with("peer (127.0.0.1:")) << a.error().to_string();
      });
}

TEST_P(HttpClientOver, BodiesAreStreamedBothWaysAtOnce) {
  with_echo([](Context& ctx, http::Pool& pool) -> Task<void> {
    ClientSettings settings;
    settings.name = "peer";
    Client client(pool, settings);
    Request request("PUT", "/echo");
    Body talk = [](Context& c, Pipe& upload, Pipe& back) -> Task<Status> {
      for (int i = 0; i < 100; ++i) {
        Message part(Bytes::copy("part " + std::to_string(i)), Format::kOpaque);
        Status s = co_await upload.write(c, std::move(part));
        if (!s.is_ok()) co_return s;
        std::string got;
        while (got.size() < 5 + std::to_string(i).size()) {
          Result<std::optional<Message>> m = co_await back.next(c);
          if (!m) co_return m.error();
          if (!*m) co_return Status::internal("it ended too early");
          got += (**m).bytes.view();
        }
        EXPECT_EQ(got, "part " + std::to_string(i));
      }
      EXPECT_EQ(status_of(back.metadata()), 201);
      upload.close();
      Result<std::optional<Message>> m = co_await back.next(c);
      if (!m) co_return m.error();
      EXPECT_FALSE(*m);
      co_return Status();
    };
    Status s = co_await stream(client, ctx, request, talk);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
  });
}

TEST_P(HttpClientOver, LeavingAStreamEarlyReachesTheServer) {
  bool heard = false;
  with(
      [&](Context& ctx, http::Exchange& x) -> Task<void> {
        x.send_head(200, Metadata(), false);
        Status s;
        while (s.is_ok()) {
          x.send("octets without end ");
          s = co_await http::wait_room(ctx, x);
          if (s.is_ok()) s = co_await yield(ctx);
        }
        heard = true;
      },
      [&](Context& ctx, http::Pool& pool) -> Task<void> {
        ClientSettings settings;
        settings.name = "peer";
        Client client(pool, settings);
        Request request("GET", "/");
        Body look = [](Context& c, Pipe&, Pipe& back) -> Task<Status> {
          Status s = co_await back.wait_head(c);
          if (!s.is_ok()) co_return s;
          Result<std::optional<Message>> m = co_await back.next(c);
          co_return m.error();
        };
        Status s = co_await stream(client, ctx, request, look);
        EXPECT_TRUE(s.is_ok()) << s.to_string();
        while (!heard) (void)co_await yield(ctx);
      });
}

// A handler that hands its own Call to a peer is a proxy: verb, path, fields, bodies and status go through.
class ThrowingSource final : public Source {
 public:
  Task<NextResult> next(Context& ctx) override {
    static_cast<void>(co_await yield(ctx));
    throw std::runtime_error("the source broke");
  }
};

// Gives one message, and then waits for as long as the call lasts.
class LastingSource final : public Source {
 public:
  Task<NextResult> next(Context& ctx) override {
    if (given_) co_return co_await sleep(ctx, 1h);
    given_ = true;
    co_return std::optional<Message>(Message(Bytes::literal("one"), Format::kOpaque));
  }

 private:
  bool given_ = false;
};

class Throwing final : public Sink {
 public:
  Task<Status> head(Context&, Metadata) override { return Task<Status>::ready(Status()); }
  Task<Status> write(Context& ctx, Message) override {
    static_cast<void>(co_await yield(ctx));
    throw std::runtime_error("the sink broke");
  }
};

TEST_P(HttpClientOver, WhatUsersCodeThrowsReachesTheCaller) {
  with_echo([](Context& ctx, http::Pool& pool) -> Task<void> {
    Client client(pool, {});
    ThrowingSource throwing;
    LastingSource lasting;
    Throwing out;
    Source* sources[] = {&throwing, &lasting};
    const std::string wanted[] = {"the source broke", "the sink broke"};
    for (size_t i = 0; i < 2; ++i) {
      Context bounded(ctx, 20s);
      Metadata asked;
      asked.add(":method", "POST");
      asked.add(":path", "/echo");
      Call call(kRoute, asked, *sources[i], out);
      std::string thrown = "nothing";
      try {
        Outcome outcome = co_await client.call(bounded, call);
        thrown = "nothing: " + outcome.status.to_string();
      } catch (const std::exception& e) {
        thrown = e.what();
      }
      EXPECT_EQ(thrown, wanted[i]);
    }
  });
}

TEST_P(HttpClientOver, ACallIsPassedOnAsItCame) {
  with_echo([&](Context& ctx, http::Pool& behind) -> Task<void> {
    ClientSettings settings;
    settings.name = "behind";
    Client next(behind, settings);
    Context inner(ctx);
    Scope scope(inner);
    // In front: the same service half over a call of our own making.
    Metadata came;
    came.add(":method", "PATCH");
    came.add(":path", "/a?b");
    came.add(":authority", "front.test");
    came.add("x-of-caller", "v");
    came.add(":path.name", "x");  // a variable of the route before
    Pipe in, out;
    Call c(kRoute, came, in, out);
    Outcome outcome;
    scope.spawn([&](Context& child) -> Task<void> {
      outcome = co_await next.call(child, c);
      out.close(outcome.status);
    });
    in.close();
    Status s = co_await out.wait_head(ctx);
    EXPECT_TRUE(s.is_ok());
    EXPECT_EQ(out.metadata().find("x-method"), "PATCH");
    EXPECT_EQ(out.metadata().find("x-path"), "/a?b");
    EXPECT_EQ(out.metadata().find("x-authority"), "front.test");
    Result<std::optional<Message>> m = co_await out.next(ctx);
    EXPECT_TRUE(m && !*m);
    co_await scope.join();
    EXPECT_TRUE(outcome.status.is_ok());
  });
}

// A proxy's: what a peer answers reaches the caller, a failure to filters too.
TEST_P(HttpClientOver, AHandlerThatPassesAFailureOnAnswersWithIt) {
  std::unique_ptr<Client> behind;
  class Proxy final : public Service {
   public:
    explicit Proxy(std::unique_ptr<Client>& behind) : behind_(behind) {}
    Task<Outcome> call(Context& ctx, Call& c) override {
      if (c.metadata.find(":path") == "/failure") {
        Metadata head;
        head.add(":status", "503");
        head.add("retry-after", "3");
        if (Status s = co_await c.out->head(ctx, std::move(head)); !s.is_ok()) co_return s;
        Message body(Bytes::copy("sorry"), Format::kOpaque);
        co_return co_await c.out->write(ctx, std::move(body));
      }
      c.metadata.remove(":path");
      c.metadata.add(":path", "/failure");
      co_return co_await behind_->call(ctx, c);
    }

   private:
    std::unique_ptr<Client>& behind_;
  } proxy(behind);
  with([&](Context& ctx, http::Exchange& x) { return serve(ctx, x, kRoute, proxy); },
       [&](Context& ctx, http::Pool& pool) -> Task<void> {
         behind = std::make_unique<Client>(pool, ClientSettings());
         Request request("GET", "/proxied");
         Result<Answer> a = co_await fetch_from(pool, ctx, request);
         EXPECT_TRUE(a) << a.error().to_string();
         if (!a) co_return;
         EXPECT_EQ(a->status, 503);
         EXPECT_EQ(a->fields.find("retry-after"), "3");
         EXPECT_EQ(a->body.view(), "sorry");
       });
}

}  // namespace
}  // namespace duplex::plain
