// What a server serves of its own over gRPC: health and reflection.
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <thread>

#include "duplex/runtime/run.h"
#include "grpc/health/v1/health.duplex.h"
#include "protocols/wire_fields.h"
#include "talk_service.h"

namespace duplex {
namespace {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using ::grpc::health::v1::HealthClient;
using talk::v1::Pair;

TEST(OwnServices, HealthKnowsWhatIsServedAndWhatItIsTold) {
  Pair pair;
  HealthClient health(pair.client);
  auto check = [&](Context& ctx, std::string service) -> Task<Result<HealthCheckResponse>> {
    HealthCheckRequest request;
    request.set_service(service);
    co_return co_await health.check(ctx, request);
  };
  run([&](Context& ctx) -> Task<void> {
    for (const char* name : {"", "talk.v1.Talk"}) {
      auto now = co_await check(ctx, name);
      EXPECT_TRUE(now) << now.error().to_string();
      if (now) {
        EXPECT_EQ(now->status(), HealthCheckResponse::SERVING) << name;
      }
    }
    auto unknown = co_await check(ctx, "talk.v1.Nothing");
    EXPECT_EQ(unknown.error().code(), Code::kNotFound);
    pair.server.set_serving("talk.v1.Talk", false);
    auto now = co_await check(ctx, "talk.v1.Talk");
    EXPECT_TRUE(now && now->status() == HealthCheckResponse::NOT_SERVING);
  });
}

TEST(OwnServices, AWatchHearsEachChangeAndTheStop) {
  Pair pair;
  HealthClient health(pair.client);
  std::vector<HealthCheckResponse::ServingStatus> seen;
  Status end;
  std::thread stopping;
  run([&](Context& ctx) -> Task<void> {
    HealthCheckRequest request;
    request.set_service("talk.v1.Later");
    auto read = [&](Context& child, Reader<HealthCheckResponse>& in) -> Task<Status> {
      for (;;) {
        auto state = co_await in.next(child);
        if (!state) co_return state.error();
        if (!*state) co_return Status();
        seen.push_back((*state)->status());
        if (seen.size() == 1) pair.server.set_serving("talk.v1.Later", true);
        if (seen.size() == 2) pair.server.set_serving("talk.v1.Later", false);
        if (seen.size() == 3) pair.server.set_serving("talk.v1.Later", true);
        if (seen.size() == 4) stopping = std::thread([&] { pair.server.stop(); });
      }
    };
    end = co_await health.watch(ctx, request, read);
  });
  if (stopping.joinable()) stopping.join();
  using S = HealthCheckResponse;
  EXPECT_EQ(seen, (std::vector<HealthCheckResponse::ServingStatus>{S::SERVICE_UNKNOWN, S::SERVING, S::NOT_SERVING,
                                                                   S::SERVING, S::NOT_SERVING}));
  EXPECT_EQ(end.code(), Code::kUnavailable) << end.to_string();
}

// One question to grpc.reflection, and the fields of its answer.
std::string ask(Client& client, const std::string& version, const std::string& request) {
  const Method method("/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo", true, true);
  return run([&](Context& ctx) -> Task<std::string> {
    One in{Message(Bytes::copy(request))};
    Pipe replies;
    Call call(method, Metadata(), in, replies);
    Outcome outcome = co_await client.call(ctx, call);
    if (!outcome.status.is_ok()) co_return outcome.status.to_string();
    NextResult reply = co_await replies.next(ctx);
    co_return reply && *reply ? (*reply)->bytes.to_string() : "no reply";
  });
}

std::string field_of(const std::string& message, uint32_t number) {
  grpc::WireFields fields(message);
  while (auto field = fields.next())
    if (field->number == number) return std::string(field->octets);
  return "";
}

TEST(OwnServices, ReflectionShowsTheContract) {
  Server::Settings settings = Pair::quiet();
  settings.reflection = true;
  Pair pair(settings);
  for (const char* version : {"v1", "v1alpha"}) {
    std::string request;
    grpc::put_octets(request, 7, "*");
    const std::string services = field_of(ask(*pair.client, version, request), 6);
    for (const char* name : {"talk.v1.Talk", "grpc.health.v1.Health"})
      EXPECT_NE(services.find(name), std::string::npos) << version;

    request.clear();
    grpc::put_octets(request, 4, "talk.v1.SayRequest");
    const std::string files = field_of(ask(*pair.client, version, request), 4);
    google::protobuf::FileDescriptorProto last;
    grpc::WireFields fields(files);
    while (auto field = fields.next()) ASSERT_TRUE(last.ParseFromString(std::string(field->octets)));
    EXPECT_EQ(last.package(), "talk.v1");
    EXPECT_EQ(last.service_size(), 1);

    request.clear();
    grpc::put_octets(request, 3, "no/such/file.proto");
    EXPECT_NE(field_of(ask(*pair.client, version, request), 7).find("no/such/file.proto"), std::string::npos);
  }
}

TEST(OwnServices, ReflectionIsThereOnlyWhenAskedFor) {
  Pair pair;
  std::string request;
  grpc::put_octets(request, 7, "*");
  EXPECT_NE(ask(*pair.client, "v1", request).find("UNIMPLEMENTED"), std::string::npos);
}

}  // namespace
}  // namespace duplex
