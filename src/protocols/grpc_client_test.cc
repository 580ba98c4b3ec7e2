// What the client half of gRPC says and hears about attempts. (Calls of every kind: tests/core.)
#include "duplex/protocols/grpc_client.h"

#include <gtest/gtest.h>

#include "duplex/protocols/grpc_server.h"
#include "duplex/service/attempt.h"
#include "duplex/service/pipe.h"
#include "protocols/test_server.h"

namespace duplex::grpc {
namespace {

const Method kMethod("/t.T/M", false, false);

// One call to a server that does as told.
Outcome called(TestServer::Serve serve, Metadata metadata = {}) {
  Outcome outcome;
  TestServer::run(http::Version::kHttp2, std::move(serve), [&](Context& ctx, http::Pool& pool) -> Task<void> {
    ClientSettings settings;
    settings.name = "peer";
    Client client(pool, settings);
    One in(Message(Bytes::copy("x")));
    Drop out;
    Call call(kMethod, metadata, in, out);
    outcome = co_await client.call(ctx, call);
  });
  return outcome;
}

class Fails final : public Service {
 public:
  explicit Fails(Metadata trailers) : trailers_(std::move(trailers)) {}
  Task<Outcome> call(Context&, Call& c) override {
    came = c.metadata;
    return Task<Outcome>::ready(Outcome(Status::unavailable("busy"), trailers_));
  }
  Metadata came;

 private:
  const Metadata trailers_;
};

// gRFC A6: a handler's pushback travels to whoever retries, and the attempt's number to the handler; other names in
// "grpc-" stay the protocol's own.
TEST(GrpcClient, PushbackAndTheNumberOfAttemptsTravel) {
  Metadata trailers;
  trailers.add("grpc-retry-pushback-ms", "250");
  trailers.add("grpc-other", "x");
  Fails service(trailers);
  Metadata metadata;
  metadata.add(kPreviousAttempts, "2");
  metadata.add("grpc-other", "x");
  Outcome outcome =
      called([&](Context& ctx,
                 http::Exchange& x) { return serve(ctx, x, "application/grpc", kMethod, service, ServerSettings()); },
             metadata);
  EXPECT_EQ(outcome.status.to_string(), "UNAVAILABLE: busy");
  EXPECT_EQ(outcome.trailers.find("grpc-retry-pushback-ms"), "250");
  EXPECT_FALSE(outcome.trailers.find("grpc-other"));
  EXPECT_EQ(service.came.find(kPreviousAttempts), "2");
  EXPECT_FALSE(service.came.find("grpc-other"));
}

TEST(GrpcClient, APushbackThatNoFieldCanCarryIsLeftOut) {
  Metadata trailers;
  trailers.add("grpc-retry-pushback-ms", "1\r\nx: y");
  Fails service(trailers);
  Outcome outcome = called([&](Context& ctx, http::Exchange& x) {
    return serve(ctx, x, "application/grpc", kMethod, service, ServerSettings());
  });
  EXPECT_EQ(outcome.status.to_string(), "UNAVAILABLE: busy");
  EXPECT_FALSE(outcome.trailers.find("grpc-retry-pushback-ms"));
}

// What stands before a server may answer in its place: the policies know it by its HTTP status too.
TEST(GrpcClient, AnAnswerOfWhatIsNoGrpcServerHasItsHttpStatus) {
  Metadata fields;
  fields.add("retry-after", "3");
  Outcome outcome = called([&](Context&, http::Exchange& x) {
    answer(x, 503, "text/plain", "no healthy upstream", fields);
    return Task<void>::ready();
  });
  EXPECT_EQ(outcome.status.code(), Code::kUnavailable);
  EXPECT_EQ(outcome.http_status, 503);
  EXPECT_EQ(outcome.trailers.find("retry-after"), "3");
  EXPECT_FALSE(outcome.unsent);
}

}  // namespace
}  // namespace duplex::grpc
