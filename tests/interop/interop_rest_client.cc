// Our typed client over REST against interop_rest.py: interop_rest_client ADDRESS. Exits with 0 if all held.
#include <cstdio>

#include "duplex/protocols/http_client.h"
#include "peer_calls.h"

namespace talk::v1 {
namespace {

using namespace std::chrono_literals;
using duplex::CallOptions;
using duplex::Code;
using duplex::Context;
using duplex::Reader;
using duplex::Result;
using duplex::Status;
using duplex::Task;

class Interop {
 public:
  explicit Interop(std::shared_ptr<duplex::Client> peer, std::string address)
      : peer_(std::move(peer)), address_(std::move(address)), client_(peer_) {}

  Task<void> answers(Context& ctx) {
    for (const char* name : {"Ada", "chunked", "until the end", "close", "continue", "Ädä 名前 \U0001F389"})
      for (int i = 0; i < 3; ++i) {
        Result<SayReply> r = co_await say(ctx, name);
        checks.expect_ok(r.error(), name);
        if (r) checks.expect(r->text() == "hello " + std::string(name), "the text is " + r->text());
      }
    SayRequest large = say_request("large");
    large.set_padding(std::string(2 << 20, 'p'));
    Result<SayReply> r = co_await client_.say(ctx, large);
    checks.expect_ok(r.error(), "2 MiB both ways");
    if (r) checks.expect(r->padding() == large.padding(), "the padding came back otherwise");
  }

  Task<void> connections_are_kept(Context& ctx) {
    int64_t before = 0;
    for (int i = 0; i < 10; ++i) {
      Result<SayReply> r = co_await say(ctx, "on this connection");
      checks.expect_ok(r.error(), "say");
      if (!r) co_return;
      const int64_t now = std::stol(r->text());
      checks.expect(i == 0 || now == before + 1,
                    "request " + std::to_string(now) + " of a connection came after " + std::to_string(before));
      before = now;
    }
  }

  // A server may close a connection right after an answer that did not say so. The next call is made on another one;
  // where it ran into the close it fails as such and by name, and is never answered with anything else.
  Task<void> keep_alive_races(Context& ctx) {
    for (const char* name : {"close without a word", "reset without a word"}) {
      int good = 0;
      for (int i = 0; i < 500; ++i) {
        Result<SayReply> r = co_await say(ctx, name);
        if (r) {
          ++good;
          checks.expect(r->text() == "hello " + std::string(name), "the text is " + r->text());
        } else {
          checks.expect_code(r.error(), Code::kUnavailable);
          expect_named(r.error());
        }
        if (i % 2) (void)co_await duplex::yield(ctx);
      }
      checks.expect(good > 250, std::string(name) + ": only " + std::to_string(good) + " of 500 were answered");
    }
  }

  Task<void> no_call_is_made_twice(Context& ctx) {
    Result<SayReply> first = co_await say(ctx, "requests");
    Result<SayReply> broken = co_await say(ctx, "no answer");
    checks.expect_code(broken.error(), Code::kUnavailable);
    expect_named(broken.error());
    Result<SayReply> then = co_await say(ctx, "requests");
    if (first && then)
      checks.expect(std::stol(then->text()) == std::stol(first->text()) + 2, "the server saw the broken call twice");
    else
      checks.expect(false, "no count");
  }

  Task<void> deaths_in_the_middle(Context& ctx) {
    for (const char* name : {"half an answer", "half a chunked answer"}) {
      Result<SayReply> r = co_await say(ctx, name);
      checks.expect_code(r.error(), Code::kUnavailable);
      expect_named(r.error());
    }
    for (int32_t manner : {0, 2, 3}) {
      int64_t seen = 0;
      Status s = co_await count(ctx, 100, manner, 50, seen);
      checks.expect_code(s, Code::kUnavailable);
      expect_named(s);
      checks.expect(seen <= 50, "it saw " + std::to_string(seen));
      if (manner != 3) checks.expect(seen == 50, "it saw " + std::to_string(seen));  // a reset may overtake octets
    }
  }

  Task<void> errors(Context& ctx) {
    Result<SayReply> r = co_await say(ctx, "gateway");
    checks.expect_code(r.error(), Code::kUnavailable);
    expect_named(r.error());
    checks.expect(r.error().message().ends_with("answered HTTP 502 Bad Gateway"), r.error().message());
    duplex::Reply reply;
    CallOptions options;
    options.reply = &reply;
    SayRequest busy = say_request("busy");
    r = co_await client_.say(ctx, busy, options);
    checks.expect_code(r.error(), Code::kUnavailable);
    checks.expect(reply.trailers.find("retry-after") == "7", "no retry-after");
    r = co_await say(ctx, "problem");
    checks.expect(r.error().to_string() == "ABORTED: the name is taken", r.error().to_string());
    r = co_await say(ctx, "status");
    checks.expect(r.error().to_string() == "NOT_FOUND: no such one", r.error().to_string());
    r = co_await say(ctx, "redirect");
    checks.expect_code(r.error(), Code::kUnknown);
    expect_named(r.error());
  }

  Task<void> streams(Context& ctx) {
    for (int32_t manner : {0, 1}) {
      int64_t seen = 0;
      Status s = co_await count(ctx, 2000, manner, 0, seen);
      checks.expect_ok(s, "count");
      checks.expect(seen == 2000, "it saw " + std::to_string(seen));
    }
  }

  Task<void> what_is_sent(Context& ctx) {
    CallOptions options(7s);
    checks.expect_ok(options.metadata.set_by_user("x-of-caller", "v"), "metadata");
    SayRequest request = say_request("headers");
    Result<SayReply> r = co_await client_.say(ctx, request, options);
    checks.expect_ok(r.error(), "say");
    if (!r) co_return;
    for (const char* part :
         {R"("x-of-caller": "v")", R"("grpc-timeout": ")", R"("host": "127.0.0.1:)", R"("accept": "application/json)"})
      checks.expect(r->text().find(part) != std::string::npos, std::string(part) + " is not in " + r->text());
  }

  Task<void> plain_requests(Context& ctx) {
    duplex::plain::Request request("GET", "/plain");
    Result<duplex::plain::Answer> a = co_await duplex::plain::fetch(*peer_, ctx, request);
    checks.expect_ok(a.error(), "plain");
    if (a) checks.expect(a->status == 200 && a->body.view() == "plain octets", "another answer");
  }

  Task<int> all(Context& ctx) {
    struct Named {
      const char* name;
      Task<void> (Interop::*check)(Context&);
    };
    static constexpr Named kAll[] = {
        {"answers of every form", &Interop::answers},
        {"connections are kept", &Interop::connections_are_kept},
        {"keep-alive races", &Interop::keep_alive_races},
        {"no call is made twice", &Interop::no_call_is_made_twice},
        {"deaths in the middle", &Interop::deaths_in_the_middle},
        {"errors", &Interop::errors},
        {"streams", &Interop::streams},
        {"what is sent", &Interop::what_is_sent},
        {"plain requests", &Interop::plain_requests},
    };
    for (const Named& named : kAll) {
      Checks::Check check = [&](Context& c) { return (this->*named.check)(c); };
      co_await checks.run(ctx, named.name, check);
    }
    co_return checks.failed();
  }

  Checks checks;

 private:
  Task<Result<SayReply>> say(Context& ctx, std::string name) {
    SayRequest request = say_request(std::move(name));
    co_return co_await client_.say(ctx, request);
  }
  Task<Status> count(Context& ctx, int64_t to, int32_t manner, int64_t fail_at, int64_t& seen) {
    CountRequest request;
    request.set_to(to);
    request.set_padding(manner);
    request.set_fail_at(fail_at);
    co_return co_await client_.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      for (;;) {
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        if (!*n) co_return Status::ok();
        if ((*n)->value() != seen) co_return Status::internal("out of order at " + std::to_string(seen));
        ++seen;
      }
    });
  }
  void expect_named(const Status& status) {
    checks.expect(status.message().find("talk (" + address_ + ")") != std::string::npos,
                  "who failed is not named: " + status.to_string());
  }

  std::shared_ptr<duplex::Client> peer_;
  const std::string address_;
  TalkClient client_;
};

}  // namespace
}  // namespace talk::v1

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: interop_rest_client ADDRESS\n");
    return 2;
  }
  auto peer = std::make_shared<duplex::Client>(
      duplex::Client::Settings{.name = "talk", .address = argv[1], .protocol = duplex::Protocol::kRest});
  talk::v1::Interop interop(peer, argv[1]);
  int failed = duplex::run([&](duplex::Context& ctx) -> duplex::Task<int> { return interop.all(ctx); });
  return failed == 0 ? 0 : 1;
}
