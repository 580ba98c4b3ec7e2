// The client half of REST: against our own server half for every kind of rule, and against servers of other manners.
#include "duplex/protocols/rest_client.h"

#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include "contract/test_contract.h"
#include "duplex/contract/json.h"
#include "duplex/contract/router.h"
#include "duplex/protocols/rest_server.h"
#include "duplex/service/attempt.h"
#include "duplex/service/pipe.h"
#include "protocols/test_server.h"

namespace duplex::rest {
namespace {

using namespace std::chrono_literals;
using contract::Type;
using http::Version;

constexpr std::string_view kService = "ridehail.dispatch.v1.Dispatch";

const contract::Contract& dispatch() {
  static const auto contract = contract::test_contract("dispatch.proto");
  return *contract;
}
const Method& method(const std::string& name) {
  return dispatch().find_method("/" + std::string(kService) + "/" + name)->plain();
}
// The JSON of a message with its fields in the order of their numbers.
std::string show(const Type& type, std::string_view wire) {
  google::protobuf::DynamicMessageFactory factory;
  std::unique_ptr<google::protobuf::Message> parsed(factory.GetPrototype(&type.descriptor())->New());
  if (!parsed->ParseFromArray(wire.data(), static_cast<int>(wire.size()))) return "malformed";
  contract::JsonOptions sparse;
  sparse.print_zeros = false;
  auto json = contract::proto_to_json(type, parsed->SerializeAsString(), sparse);
  return json ? json->to_string() : json.error().to_string();
}
Message message(const Type& type, std::string_view json) {
  auto bytes = contract::json_to_proto(type, json);
  EXPECT_TRUE(bytes) << bytes.error().to_string();
  return Message(bytes ? *bytes : Bytes());
}

// What a call came to.
class Seen {
 public:
  Outcome outcome;
  Metadata head;
  std::vector<std::string> replies;
  std::string status() const { return outcome.status.to_string(); }
};

class Replies final : public Sink {
 public:
  Replies(Seen& seen, const Type& type) : seen_(seen), type_(type) {}
  Task<Status> head(Context&, Metadata metadata) override {
    seen_.head = std::move(metadata);
    return Task<Status>::ready(Status());
  }
  Task<Status> write(Context&, Message m) override {
    seen_.replies.push_back(show(type_, m.bytes.view()));
    return Task<Status>::ready(Status());
  }

 private:
  Seen& seen_;
  const Type& type_;
};

Task<Seen> call(Context& ctx, http::Pool& pool, const Method& m, std::string json, Metadata metadata = {}) {
  ClientSettings settings;
  settings.name = "dispatch";
  settings.max_message = 1000;
  Client client(pool, settings);
  Seen seen;
  One in(message(m.contract->input(), json));
  Replies out(seen, m.contract->output());
  Call c(m, std::move(metadata), in, out);
  seen.outcome = co_await client.call(ctx, c);
  co_return seen;
}

// One call of GetRide (or another) to a server of any manners.
Seen call_to(TestServer::Serve serve, const std::string& name = "GetRide", const std::string& json = R"({"id":"7"})",
             Version version = Version::kHttp11) {
  Seen seen;
  TestServer::run(version, std::move(serve), [&](Context& ctx, http::Pool& pool) -> Task<void> {
    seen = co_await call(ctx, pool, method(name), json);
  });
  return seen;
}
Seen answered(int status, std::string type, std::string body, const std::string& name = "GetRide",
              Metadata fields = {}) {
  return call_to(
      [&](Context&, http::Exchange& x) {
        answer(x, status, type, body, fields);
        return Task<void>::ready();
      },
      name, name == "WatchRides" ? R"({"city":"bonn"})" : R"({"id":"7"})");
}

// Our server half over the contract: keeps what came, and answers as told.
class Dispatch final : public Service {
 public:
  Dispatch() { EXPECT_TRUE(router_.add(*dispatch().find_service(kService)).is_ok()); }
  std::string came, came_by, replied = "{}";
  Metadata metadata;
  int replies = 1;
  Outcome end;
  std::function<Task<Outcome>(Context&, Call&)> instead;

  Task<void> serve(Context& ctx, http::Exchange& x) {
    const std::string& target = x.head().target;
    contract::RouteMatch match = router_.find(x.head().method, std::string_view(target).substr(0, target.find('?')));
    came_by = x.head().method + " " + target;
    if (match.kind != contract::RouteMatch::Kind::kFound) {
      answer_problem(x, Status::not_found("nothing is at " + target));
      return Task<void>::ready();
    }
    return rest::serve(ctx, x, *match.rule, match.captures, match.rule->method->plain(), *this, ServerSettings());
  }

 private:
  Task<Outcome> call(Context& ctx, Call& c) override {
    Result<std::optional<Message>> m = co_await c.in->next(ctx);
    came = show(c.method->contract->input(), (**m).bytes.view());
    metadata = c.metadata;
    if (instead) co_return co_await instead(ctx, c);
    Metadata head;
    head.add("x-head", "h");
    Status s = co_await c.out->head(ctx, std::move(head));
    for (int i = 0; i < replies && s.is_ok(); ++i) {
      Message reply = message(c.method->contract->output(), replied);
      s = co_await c.out->write(ctx, std::move(reply));
    }
    co_return end;
  }
  contract::Router router_;
};

void with_dispatch(Version version, Dispatch& service, TestServer::Body body) {
  TestServer::run(version, [&](Context& ctx, http::Exchange& x) { return service.serve(ctx, x); }, std::move(body));
}

class RestClientOver : public testing::TestWithParam<Version> {};
INSTANTIATE_TEST_SUITE_P(Both, RestClientOver, testing::Values(Version::kHttp11, Version::kHttp2),
                         [](const auto& p) { return p.param == Version::kHttp2 ? "Http2" : "Http11"; });

TEST_P(RestClientOver, EveryKindOfRuleGoesThereAndBack) {
  const struct {
    const char* name;
    const char* request;
    const char* by;  // null: any
    const char* reply;
  } calls[] = {
      {"GetRide", R"({"id":"r/7 x:ä?#%"})", "GET /v1/rides/r%2F7%20x%3A%C3%A4%3F%23%25",
       R"({"id":"1","fare_cents":"12","vehicle_class":"VEHICLE_CLASS_VAN"})"},
      {"GetRide", R"({"id":"7","fields":"pickup,fareCents"})", nullptr, R"({"requested_at":"2026-01-02T03:04:05Z"})"},
      {"ReadFile", R"({"name":"archives/2026/files/a%2Fb/c d"})", "GET /v1/archives/2026/files/a%252Fb/c%20d", "{}"},
      {"ReadFile", R"({"name":"elsewhere"})", "SEARCH /v1/files?name=elsewhere", "{}"},
      {"ListRides",
       R"({"city":"b","page_size":-3,"classes":["VEHICLE_CLASS_VAN","VEHICLE_CLASS_STANDARD"],"tags":["a b","&=+"],)"
       R"("rider":{"id":"9","display_name":"Jo"},"since":"2026-01-02T03:04:05Z","longer_than":"1.500s",)"
       R"("min_fare":"0","radius_km":2.5,"cursor":"/+8=","delta":-5,"shard":"7","tilt":-8,"rating":4.5,)"
       R"("zones":[1,-2],"pooled":false,"voucher":"v"})",
       nullptr, R"({"rides":[{"id":"1"},{"id":"2"}]})"},
      {"ListRides", R"({"page_size":2})", "GET /v1/rides?page_size=2", "{}"},  // its second rule
      {"RequestRide", R"({"city":"bonn","ride":{"pickup":{"label":"A"}},"dry_run":true})",
       "POST /v1/cities/bonn/rides?dry_run=true", R"({"notes":["x","y"]})"},
      {"RequestRide", R"({"city":"bonn"})", "POST /v1/cities/bonn/rides",
       "{}"},  // the field that is the body is absent
      {"UpdateRide", R"({"ride":{"id":"7","fare_cents":"5"},"update_mask":"fareCents"})", "PATCH /v1/rides/7", "{}"},
      {"AddNotes", R"({"id":"7","notes":["a","b"]})", "POST /v1/rides/7/notes", "{}"},
      {"CancelRide", R"({"id":"7","reason":"late"})", "POST /v1/rides/7:cancel", "{}"},
  };
  Dispatch service;
  with_dispatch(GetParam(), service, [&](Context& ctx, http::Pool& pool) -> Task<void> {
    for (const auto& c : calls) {
      service.replied = c.reply;
      Metadata metadata;
      metadata.add("x-of-caller", "v");
      Seen seen = co_await call(ctx, pool, method(c.name), c.request, metadata);
      EXPECT_EQ(seen.status(), "OK") << c.name << c.request;
      EXPECT_EQ(service.came, c.request);
      if (c.by) {
        EXPECT_EQ(service.came_by, c.by);
      }
      EXPECT_EQ(seen.replies, std::vector<std::string>{c.reply});
      EXPECT_EQ(seen.head.find("x-head"), "h");
      EXPECT_EQ(service.metadata.find("x-of-caller"), "v");
    }
  });
}

TEST_P(RestClientOver, AStreamOfRepliesComesOneByOneAndItsFailureLast) {
  Dispatch service;
  service.replied = R"({"id":"1"})";
  service.replies = 500;
  service.end = Status::aborted("enough").with_detail("type.googleapis.com/google.rpc.RetryInfo", "\x0a\x02\x08\x03");
  with_dispatch(GetParam(), service, [&](Context& ctx, http::Pool& pool) -> Task<void> {
    Seen seen = co_await call(ctx, pool, method("WatchRides"), R"({"city":"bonn"})");
    EXPECT_EQ(seen.status(), "ABORTED: enough");
    EXPECT_EQ(seen.outcome.status.details().size(), 1u);
    EXPECT_EQ(seen.replies, std::vector<std::string>(500, R"({"id":"1"})"));
    EXPECT_EQ(seen.head.find("x-head"), "h");
    service.end = Outcome();
    service.replies = 0;
    seen = co_await call(ctx, pool, method("WatchRides"), R"({"city":"bonn"})");
    EXPECT_EQ(seen.status(), "OK");
    EXPECT_TRUE(seen.replies.empty());
    service.end = Status::not_found("no such city");
    service.instead = [&](Context&, Call&) { return Task<Outcome>::ready(service.end); };
    seen = co_await call(ctx, pool, method("WatchRides"), R"({"city":"bonn"})");
    EXPECT_EQ(seen.status(), "NOT_FOUND: no such city");
  });
}

TEST_P(RestClientOver, AStatusTravelsWhole) {
  Dispatch service;
  Metadata trailers;
  trailers.add("retry-after", "3");
  service.end = Outcome(Status::failed_precondition("not now").with_detail("type.googleapis.com/google.rpc.RetryInfo",
                                                                           "\x0a\x02\x08\x03"),
                        trailers);
  with_dispatch(GetParam(), service, [&](Context& ctx, http::Pool& pool) -> Task<void> {
    Seen seen = co_await call(ctx, pool, method("GetRide"), R"({"id":"7"})");
    EXPECT_EQ(seen.status(), "FAILED_PRECONDITION: not now");
    EXPECT_TRUE(seen.replies.empty());
    EXPECT_EQ(seen.outcome.trailers.find("retry-after"), "3");
    if (seen.outcome.status.details().size() == 1) {
      EXPECT_EQ(seen.outcome.status.details()[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
      // The same message; the way over JSON may write its zeros.
      const Type& type = *dispatch().find_type("google.rpc.RetryInfo");
      EXPECT_EQ(show(type, seen.outcome.status.details()[0].value), R"({"retry_delay":"3s"})");
    } else {
      ADD_FAILURE() << seen.outcome.status.details().size() << " details";
    }
  });
}

TEST_P(RestClientOver, TheDeadlineTravelsAndACancelReachesTheHandler) {
  Dispatch service;
  Duration left{};
  Status why;
  bool over = false;
  service.instead = [&](Context& ctx, Call&) -> Task<Outcome> {
    left = ctx.remaining();
    Status s = co_await sleep(ctx, 1h);
    why = s;
    over = true;
    co_return s;
  };
  with_dispatch(GetParam(), service, [&](Context& ctx, http::Pool& pool) -> Task<void> {
    {
      Context bounded(ctx, 50ms);
      Seen seen = co_await call(bounded, pool, method("GetRide"), R"({"id":"7"})");
      EXPECT_EQ(seen.outcome.status.code(), Code::kDeadlineExceeded);
      EXPECT_GT(left, Duration::zero());
      EXPECT_LE(left, Duration(50ms));
      while (!over) (void)co_await yield(ctx);
    }
    over = false;
    Context child(ctx);
    Scope scope(child);
    Seen seen;
    scope.spawn([&](Context& c) -> Task<void> { seen = co_await call(c, pool, method("GetRide"), R"({"id":"7"})"); });
    left = Duration::zero();
    while (left == Duration::zero()) (void)co_await yield(ctx);
    child.cancel(Status::cancelled("not wanted any more"));
    co_await scope.join();
    EXPECT_EQ(seen.status(), "CANCELLED: not wanted any more");
    while (!over) (void)co_await yield(ctx);
    EXPECT_FALSE(why.is_ok());
  });
}

// gRFC A6's word of earlier attempts travels, though names in "grpc-" are not a user's to set.
TEST(RestClient, AnAttemptSaysHowManyWereBefore) {
  Metadata came;
  TestServer::run(
      Version::kHttp11,
      [&](Context&, http::Exchange& x) {
        came = x.head().fields;
        answer(x, 200, "application/json", "{}");
        return Task<void>::ready();
      },
      [&](Context& ctx, http::Pool& pool) -> Task<void> {
        Metadata metadata;
        metadata.add(kPreviousAttempts, "2");
        metadata.add("grpc-other", "x");
        Seen seen = co_await call(ctx, pool, method("GetRide"), R"({"id":"7"})", metadata);
        EXPECT_TRUE(seen.outcome.status.is_ok()) << seen.status();
      });
  EXPECT_EQ(came.find(kPreviousAttempts), "2");
  EXPECT_FALSE(came.find("grpc-other"));
}

TEST(RestClient, RetryAfterIsHandedOverWithTheFailure) {
  Metadata fields;
  fields.add("retry-after", "3");
  Seen seen = answered(503, "", "", "GetRide", fields);
  EXPECT_EQ(seen.outcome.status.code(), Code::kUnavailable);
  EXPECT_EQ(seen.outcome.http_status, 503);
  EXPECT_EQ(seen.outcome.trailers.find("retry-after"), "3");
}

TEST(RestClient, ADeadlineThatNobodyCanReadIsRefused) {
  Dispatch service;
  with_dispatch(Version::kHttp11, service, [&](Context& ctx, http::Pool& pool) -> Task<void> {
    http::Head head;
    head.method = "GET";
    head.target = "/v1/rides/7";
    head.authority = "a";
    head.fields.add("grpc-timeout", "soon");
    auto make_head = [&] { return head; };
    Result<http::Pool::Lease> lease = co_await pool.open(ctx, make_head, true);
    while (!lease->exchange().has_head()) (void)co_await lease->exchange().arrived().wait(ctx);
    EXPECT_EQ(lease->exchange().head().status, 400);
  });
}

TEST(RestClient, WhatHasNoFormOverRestIsRefusedWithTheMend) {
  Seen seen = call_to([](Context&, http::Exchange&) { return Task<void>::ready(); }, "Track", "{}");
  EXPECT_EQ(seen.outcome.status.code(), Code::kUnimplemented);
  EXPECT_TRUE(seen.status().find("Dispatch/Track takes a stream of messages") != std::string::npos) << seen.status();
  const auto contract = contract::contract_of(
      "message M {} service S { rpc Bare(M) returns (M); rpc Any(M) returns (M) "
      "{ option (google.api.http) = {get: \"/v1/*\"}; } }");
  ASSERT_TRUE(contract);
  TestServer::run(
      Version::kHttp11, [](Context&, http::Exchange&) { return Task<void>::ready(); },
      [&](Context& ctx, http::Pool& pool) -> Task<void> {
        Seen bare = co_await call(ctx, pool, (*contract)->find_method("/t.S/Bare")->plain(), "{}");
        EXPECT_EQ(bare.outcome.status.code(), Code::kUnimplemented);
        EXPECT_TRUE(bare.status().find("/t.S/Bare has no google.api.http rule") != std::string::npos) << bare.status();
        EXPECT_TRUE(bare.status().find("let peer dispatch") != std::string::npos) << bare.status();
        Seen any = co_await call(ctx, pool, (*contract)->find_method("/t.S/Any")->plain(), "{}");
        EXPECT_EQ(any.outcome.status.code(), Code::kInvalidArgument);
      });
}

TEST(RestClient, AVariableThatWouldLeadElsewhereIsRefused) {
  for (const char* id : {"", ".", ".."}) {
    Seen seen = call_to([](Context&, http::Exchange&) { return Task<void>::ready(); }, "GetRide",
                        "{\"id\":\"" + std::string(id) + "\"}");
    EXPECT_EQ(seen.outcome.status.code(), Code::kInvalidArgument) << id;
  }
  Seen seen = call_to([](Context&, http::Exchange&) { return Task<void>::ready(); }, "AddNotes",
                      R"({"id":"..","notes":["a"]})");
  EXPECT_EQ(seen.outcome.status.code(), Code::kInvalidArgument);
}

TEST(RestClient, AnswersOfOtherServersAreRead) {
  Seen seen = answered(200, "application/json; charset=utf-8",
                       R"({"id":"1","added_later":{"x":[1]},"fareCents":12,)"
                       R"("vehicle_class":"VEHICLE_CLASS_ROCKET"})");
  EXPECT_EQ(seen.status(), "OK");
  EXPECT_EQ(seen.replies, std::vector<std::string>{R"({"id":"1","fare_cents":"12"})"});
  seen = answered(201, "", "{}");
  EXPECT_EQ(seen.status(), "OK");
  seen = answered(204, "", "");
  EXPECT_EQ(seen.status(), "OK");
  EXPECT_EQ(seen.replies, std::vector<std::string>{"{}"});
}

TEST(RestClient, WhatIsNoAnswerOfSuchAServiceIsNamedWithThePeer) {
  Seen seen = answered(200, "text/html", "<html>");
  EXPECT_TRUE(seen.status().starts_with("INTERNAL: dispatch (127.0.0.1:")) << seen.status();
  EXPECT_TRUE(
      seen.status().ends_with(") answered HTTP 200 with text/html where JSON was expected: is it the address of "
                              "ridehail.dispatch.v1.Dispatch?"))
      << seen.status();
  seen = answered(200, "application/json", R"({"id":)");
  EXPECT_TRUE(seen.status().find("answered what cannot be read") != std::string::npos) << seen.status();
  seen = answered(200, "application/json", R"({"id":")" + std::string(1000, 'x') + "\"}");
  EXPECT_TRUE(seen.status().starts_with("RESOURCE_EXHAUSTED: dispatch (127.0.0.1:")) << seen.status();
  Metadata gzip;
  gzip.add("content-encoding", "gzip");
  seen = answered(200, "application/json", "x", "GetRide", gzip);
  EXPECT_TRUE(seen.status().find("encoded as gzip") != std::string::npos) << seen.status();
}

TEST(RestClient, ErrorsWithoutAProblemHaveTheCodeOfTheirHttpStatus) {
  Metadata fields;
  fields.add("retry-after", "120");
  Seen seen = answered(503, "text/html", "<html>try later</html>", "GetRide", fields);
  EXPECT_TRUE(seen.status().starts_with("UNAVAILABLE: dispatch (127.0.0.1:")) << seen.status();
  EXPECT_TRUE(seen.status().ends_with(") answered HTTP 503 Service Unavailable")) << seen.status();
  EXPECT_EQ(seen.outcome.trailers.find("retry-after"), "120");
  EXPECT_FALSE(seen.outcome.unsent);
  EXPECT_EQ(answered(404, "", "").outcome.status.code(), Code::kNotFound);
  EXPECT_EQ(answered(500, "application/json", "{").outcome.status.code(), Code::kInternal);
  EXPECT_EQ(answered(302, "", "").outcome.status.code(), Code::kUnknown);
  EXPECT_EQ(answered(500, "application/json", R"({"code":5,"message":"no ride 7","details":[]})").status(),
            "NOT_FOUND: no ride 7");  // a google.rpc.Status, as other transcoders send it
  EXPECT_EQ(answered(404, "application/problem+json", R"({"title":"gone","type":"about:blank"})").status(),
            "NOT_FOUND: gone");
}

TEST(RestClient, StreamsOfOtherServersAreRead) {
  const std::vector<std::string> two{R"({"id":"1"})", R"({"id":"2"})"};
  Seen seen =
      answered(200, "text/event-stream; charset=utf-8",
               ": hello\n\nid: 1\ndata: {\"id\":\ndata: \"1\"}\n\nevent: ride\ndata: {\"id\":\"2\"}\n\n", "WatchRides");
  EXPECT_EQ(seen.status(), "OK");
  EXPECT_EQ(seen.replies, two);
  seen = answered(200, "text/event-stream",
                  "data: {\"id\":\"1\"}\n\ndata: {\"id\":\"2\"}\n\n"
                  "event: error\ndata: {\"code\":\"DATA_LOSS\",\"detail\":\"gone\"}\n\n",
                  "WatchRides");
  EXPECT_EQ(seen.status(), "DATA_LOSS: gone");
  EXPECT_EQ(seen.replies, two);
  seen = answered(200, "application/json", "{\"id\":\"1\"}\n{\"id\":\"2\"}", "WatchRides");
  EXPECT_EQ(seen.status(), "OK");
  EXPECT_EQ(seen.replies, two);
  seen = answered(200, "application/x-ndjson", "{\"id\":\"1\"}\n{\"id\":", "WatchRides");
  EXPECT_TRUE(seen.status().find("answered what cannot be read") != std::string::npos) << seen.status();
  seen = answered(200, "text/event-stream", "data: {\"id\":\"1\"}\n\ndata: {\"id\":\"2\"}\n", "WatchRides");
  EXPECT_TRUE(seen.status().find("the stream ends within an event") != std::string::npos) << seen.status();
  seen = answered(200, "image/png", "x", "WatchRides");
  EXPECT_EQ(seen.outcome.status.code(), Code::kInternal);
}

TEST_P(RestClientOver, AServerThatBreaksOffInTheMiddleIsUnavailableAndMayHaveSeenTheCall) {
  for (bool stream : {false, true}) {
    Seen seen = call_to(
        [&](Context& ctx, http::Exchange& x) -> Task<void> {
          Metadata head;
          head.add("content-type", stream ? "application/x-ndjson" : "application/json");
          x.send_head(200, head, false);
          x.send(stream ? "{\"id\":\"1\"}\n{\"id\"" : "{\"id\":");
          while (x.unsent_octets()) (void)co_await yield(ctx);
          (void)co_await sleep(ctx, 1ms);
          x.reset(http::Reset::kInternalError);
        },
        stream ? "WatchRides" : "GetRide", stream ? R"({"city":"b"})" : R"({"id":"7"})", GetParam());
    EXPECT_TRUE(seen.status().find("dispatch (127.0.0.1:") != std::string::npos) << seen.status();
    EXPECT_FALSE(seen.outcome.status.is_ok());
    EXPECT_FALSE(seen.outcome.unsent);
    EXPECT_EQ(seen.replies.size(), stream ? 1u : 0u);
  }
}

TEST(RestClient, APeerThatIsNotThereIsNamedAndSurelyHasNotSeenTheCall) {
  run([](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    http::PoolSettings settings;
    settings.version = Version::kHttp11;
    http::Pool pool(scope, "dispatch", *Address::parse("unix:/nonexistent/sock"), settings);
    Seen seen = co_await call(ctx, pool, method("GetRide"), R"({"id":"7"})");
    EXPECT_EQ(seen.status(),
              "UNAVAILABLE: dispatch (unix:/nonexistent/sock) cannot be reached: No such file or directory");
    EXPECT_TRUE(seen.outcome.unsent);
    co_await scope.join();
  });
}

}  // namespace
}  // namespace duplex::rest
