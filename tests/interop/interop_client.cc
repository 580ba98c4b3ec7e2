// Our typed client against a server of talk.proto that we did not write: interop_client ADDRESS. The server behaves as
// TalkService does, with interop_server's trailers. Exits with 0 if all held, else says what did not.
#include <cstdio>

#include "peer_calls.h"

namespace talk::v1 {
namespace {

using namespace std::chrono_literals;
using duplex::CallOptions;
using duplex::Code;
using duplex::Context;
using duplex::Reader;
using duplex::Reply;
using duplex::Result;
using duplex::Scope;
using duplex::Status;
using duplex::Task;
using duplex::Writer;

class Interop {
 public:
  explicit Interop(std::shared_ptr<duplex::Client> peer) : peer_(std::move(peer)), client_(peer_) {}

  Task<void> unary(Context& ctx) {
    SayRequest request = say_request("Ädä 名前 \U0001F389");
    request.set_padding(std::string(100'000, 'p'));
    Result<SayReply> r = co_await client_.say(ctx, request);
    checks.expect_ok(r.error(), "say");
    if (!r) co_return;
    checks.expect(r->text() == "hello Ädä 名前 \U0001F389", "the text is " + r->text());
    checks.expect(r->padding() == request.padding(), "the padding came back otherwise");
    checks.expect(r->left_ms() > 10'000 && r->left_ms() <= 15'000,
                  "the default deadline came as " + std::to_string(r->left_ms()) + " ms");
  }

  Task<void> empty_messages(Context& ctx) {
    SayRequest nothing;
    Result<SayReply> r = co_await client_.say(ctx, nothing);
    checks.expect_ok(r.error(), "say of an empty message");
    if (r) checks.expect(r->text() == "hello ", "the text is " + r->text());
    // No request message at all, and a reply of no octets.
    Result<Sum> sum =
        co_await client_.add(ctx, [](Context&, Writer<Number>&) { return Task<Status>::ready(Status()); });
    checks.expect_ok(sum.error(), "add of nothing");
    if (sum) checks.expect(sum->value() == 0 && sum->count() == 0, "the sum of nothing is not 0");
    // Messages of no octets in a stream: three up.
    sum = co_await client_.add(ctx, [](Context& c, Writer<Number>& out) -> Task<Status> {
      for (int i = 0; i < 3; ++i) {
        Status s = co_await out.write(c, Number());
        if (!s.is_ok()) co_return s;
      }
      co_return Status::ok();
    });
    checks.expect_ok(sum.error(), "add of empty messages");
    if (sum) checks.expect(sum->count() == 3, "three empty messages were " + std::to_string(sum->count()));
    // One down: the first number is 0.
    co_await count_to(ctx, 1, 0);
    co_await count_to(ctx, 0, 0);
  }

  Task<void> server_stream(Context& ctx) {
    co_await count_to(ctx, 2000, 100);
    co_await count_to(ctx, 20, 100'000);
    // A status after messages.
    CountRequest request;
    request.set_to(10);
    request.set_fail_at(3);
    int seen = 0;
    Status s = co_await client_.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      for (;;) {
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        if (!*n) break;
        ++seen;
      }
      co_return Status::ok();
    });
    checks.expect_code(s, Code::kAborted);
    checks.expect(s.message() == "told to", "the message is " + s.message());
    checks.expect(seen == 3, "messages before the status: " + std::to_string(seen));
  }

  Task<void> leaving_a_stream(Context& ctx) {
    const int64_t before = co_await peer_count(ctx, client_, "x-cancelled");
    CountRequest request;
    request.set_to(1'000'000'000);
    request.set_padding(1000);
    Status s = co_await client_.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      auto n = co_await in.next(c);
      co_return n.error();
    });
    checks.expect_ok(s, "a stream left early");
    bool heard = co_await peer_count_reaches(ctx, client_, "x-cancelled", before + 1);
    checks.expect(heard, "the handler did not hear of it");
  }

  Task<void> client_stream(Context& ctx) {
    Result<Sum> sum = co_await client_.add(ctx, [&](Context& c, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 2000; ++i) {
        Status s = co_await out.write(c, number(i, 100));
        if (!s.is_ok()) co_return s;
      }
      co_return Status::ok();
    });
    checks.expect_ok(sum.error(), "add");
    if (!sum) co_return;
    checks.expect(sum->value() == 2000 * 2001 / 2 && sum->count() == 2000, "the sum is " + sum->ShortDebugString());
  }

  Task<void> bidi_stream(Context& ctx) {
    int64_t good = 0;
    Status s = co_await client_.chat(ctx, [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
      for (int i = 1; i <= 200; ++i) {
        Status w = co_await out.write(c, number(i, 10));
        if (!w.is_ok()) co_return w;
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        good += n->has_value() && (*n)->value() == i;
      }
      out.finish();
      auto end = co_await in.next(c);
      if (!end) co_return end.error();
      good += !end->has_value();
      co_return Status::ok();
    });
    checks.expect_ok(s, "chat");
    checks.expect(good == 201, "echoes that came: " + std::to_string(good));

    // The server ends while we are silent, with our half still open: well, and with a status.
    for (int64_t last : {0, -1}) {
      bool ended = false;
      s = co_await client_.chat(ctx, [&](Context& c, Reader<Number>& in, Writer<Number>& out) -> Task<Status> {
        Status w = co_await out.write(c, number(last));
        if (!w.is_ok()) co_return w;
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        ended = !n->has_value();
        co_return Status::ok();
      });
      checks.expect_code(s, last == 0 ? Code::kOk : Code::kInvalidArgument);
      checks.expect(last != 0 || ended, "the server's end was not seen");
    }
  }

  Task<void> deadline(Context& ctx) {
    const int64_t before = co_await peer_count(ctx, client_, "x-cancelled");
    SayRequest request;
    request.set_wait_ms(3'600'000);
    CallOptions options(300ms);
    Result<SayReply> r = co_await client_.say(ctx, request, options);
    checks.expect_code(r.error(), Code::kDeadlineExceeded);
    bool heard = co_await peer_count_reaches(ctx, client_, "x-cancelled", before + 1);
    checks.expect(heard, "the handler did not hear of it");
    SayRequest quick;
    CallOptions generous(7s);
    r = co_await client_.say(ctx, quick, generous);
    checks.expect_ok(r.error(), "say");
    if (r)
      checks.expect(r->left_ms() > 1000 && r->left_ms() <= 7000, "7 s came as " + std::to_string(r->left_ms()) + " ms");
  }

  Task<void> cancellation(Context& ctx) {
    const int64_t before = co_await peer_count(ctx, client_, "x-cancelled");
    Context mine(ctx);
    Scope scope(mine);
    Status seen;
    scope.spawn([&](Context& c) -> Task<void> {
      SayRequest request;
      request.set_wait_ms(3'600'000);
      Result<SayReply> r = co_await client_.say(c, request);
      seen = r.error();
    });
    bool heard = co_await peer_count_reaches(ctx, client_, "x-running", 1);
    checks.expect(heard, "the call did not arrive");
    scope.cancel(Status::cancelled("changed my mind"));
    co_await scope.join();
    checks.expect_code(seen, Code::kCancelled);
    heard = co_await peer_count_reaches(ctx, client_, "x-cancelled", before + 1);
    checks.expect(heard, "the handler did not hear of it");
  }

  Task<void> metadata(Context& ctx) {
    CallOptions options;
    Reply reply;
    options.reply = &reply;
    std::string binary("\0\xff\x01,= \n", 7);
    checks.expect_ok(options.metadata.set_by_user("x-echo", "a value, with = and %41"), "x-echo");
    checks.expect_ok(options.metadata.set_by_user("x-echo-bin", binary), "x-echo-bin");
    SayRequest request = say_request("m");
    Result<SayReply> r = co_await client_.say(ctx, request, options);
    checks.expect_ok(r.error(), "say");
    checks.expect(reply.head.find("x-echo-head") == "a value, with = and %41", "ASCII in the head");
    checks.expect(reply.head.find("x-echo-head-bin") == binary, "binary in the head");
    checks.expect(reply.trailers.find("x-echo-trailer") == "a value, with = and %41", "ASCII in the trailers");
    checks.expect(reply.trailers.find("x-echo-bin") == binary, "binary in the trailers");
  }

  Task<void> status_details(Context& ctx) {
    for (int code = 1; code <= 16; ++code) {
      SayRequest request;
      request.set_fail_code(code);
      Result<SayReply> r = co_await client_.say(ctx, request);
      const Status s = r.error();
      checks.expect_code(s, duplex::code_of(static_cast<uint64_t>(code)));
      checks.expect(s.message() == "as you like", "the message is " + s.message());
      checks.expect(s.details().size() == 1 && s.details()[0].type_url == "type.googleapis.com/google.rpc.RetryInfo" &&
                        s.details()[0].value == std::string("\x0a\x02\x08\x03", 4),
                    "the details of code " + std::to_string(code));
    }
  }

  Task<void> unicode_status(Context& ctx) {
    const std::string text = "kein Käse für 猫 \U0001F9C0: 100% \"ok\"\nline two";
    CallOptions options;
    checks.expect_ok(options.metadata.set_by_user("x-fail-bin", text), "x-fail-bin");
    SayRequest request;
    Result<SayReply> r = co_await client_.say(ctx, request, options);
    checks.expect_code(r.error(), Code::kAborted);
    checks.expect(r.error().message() == text, "the message is " + r.error().message());
  }

  Task<void> message_limits(Context& ctx) {
    SayRequest request;
    request.set_padding(std::string(3 << 20, 'x'));
    Result<SayReply> r = co_await client_.say(ctx, request);
    checks.expect_ok(r.error(), "3 MiB both ways");
    if (r) checks.expect(r->padding() == request.padding(), "3 MiB came back otherwise");
    request.set_padding(std::string(5 << 20, 'x'));
    r = co_await client_.say(ctx, request);  // past the server's limit
    checks.expect_code(r.error(), Code::kResourceExhausted);
    CountRequest large;  // past ours
    large.set_to(2);
    large.set_padding(5 << 20);
    Status s = co_await client_.count(ctx, large, [](Context& c, Reader<Number>& in) -> Task<Status> {
      auto n = co_await in.next(c);
      co_return n ? Status::internal("it came") : n.error();
    });
    checks.expect_code(s, Code::kResourceExhausted);
    SayRequest small = say_request("after");
    r = co_await client_.say(ctx, small);
    checks.expect_ok(r.error(), "a call after them");
  }

  Task<void> unknown_method(Context& ctx) {
    static const duplex::Method kMethod("/talk.v1.Talk/Nope", false, false);
    static const duplex::Method kService("/talk.v1.Nobody/Say", false, false);
    SayRequest request;
    for (const duplex::Method* method : {&kMethod, &kService}) {
      Result<SayReply> r = co_await duplex::unary<SayReply>(*peer_, *method, ctx, request);
      checks.expect_code(r.error(), Code::kUnimplemented);
    }
  }

  Task<void> a_thousand_at_once(Context& ctx) {
    int good = 0;
    Status first;
    Scope scope(ctx);
    for (int i = 0; i < 1000; ++i)
      scope.spawn([&, i](Context& c) -> Task<void> {
        SayRequest request = say_request("n" + std::to_string(i));
        CallOptions options(60s);  // a peer may be slow; this is no test of speed
        Result<SayReply> r = co_await client_.say(c, request, options);
        if (r)
          good += r->text() == "hello n" + std::to_string(i);
        else if (first.is_ok())
          first = r.error();
      });
    co_await scope.join();
    checks.expect(good == 1000, "answers: " + std::to_string(good) + "; first error: " + first.to_string());
  }

  Task<int> all(Context& ctx) {
    struct Named {
      const char* name;
      Task<void> (Interop::*check)(Context&);
    };
    static constexpr Named kAll[] = {
        {"unary", &Interop::unary},
        {"empty messages", &Interop::empty_messages},
        {"server stream", &Interop::server_stream},
        {"a stream left early", &Interop::leaving_a_stream},
        {"client stream", &Interop::client_stream},
        {"bidirectional stream", &Interop::bidi_stream},
        {"deadline", &Interop::deadline},
        {"cancellation", &Interop::cancellation},
        {"metadata", &Interop::metadata},
        {"status and details", &Interop::status_details},
        {"status message in Unicode", &Interop::unicode_status},
        {"message limits", &Interop::message_limits},
        {"unknown method", &Interop::unknown_method},
        {"a thousand at once", &Interop::a_thousand_at_once},
    };
    for (const Named& named : kAll) {
      Checks::Check check = [&](Context& c) { return (this->*named.check)(c); };
      co_await checks.run(ctx, named.name, check);
    }
    co_return checks.failed();
  }

  Checks checks;

 private:
  Task<void> count_to(Context& ctx, int64_t to, int32_t padding) {
    CountRequest request;
    request.set_to(to);
    request.set_padding(padding);
    int64_t next = 0;
    Status s = co_await client_.count(ctx, request, [&](Context& c, Reader<Number>& in) -> Task<Status> {
      for (;;) {
        auto n = co_await in.next(c);
        if (!n) co_return n.error();
        if (!*n) break;
        if ((*n)->value() != next || (*n)->padding().size() != static_cast<size_t>(padding))
          co_return Status::internal("out of order at " + std::to_string(next));
        ++next;
      }
      co_return Status::ok();
    });
    checks.expect_ok(s, "count to " + std::to_string(to));
    checks.expect(next == to, "numbers: " + std::to_string(next) + " of " + std::to_string(to));
  }

  std::shared_ptr<duplex::Client> peer_;
  TalkClient client_;
};

}  // namespace
}  // namespace talk::v1

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: interop_client ADDRESS\n");
    return 2;
  }
  auto peer = std::make_shared<duplex::Client>(duplex::Client::Settings{.name = "talk", .address = argv[1]});
  talk::v1::Interop interop(peer);
  int failed = duplex::run([&](duplex::Context& ctx) -> duplex::Task<int> { return interop.all(ctx); });
  return failed == 0 ? 0 : 1;
}
