#include "contract/test_contract.h"
#include "duplex/resilience/retry.h"
#include "duplex/service/pipe.h"

namespace duplex::resilience {
namespace {

bool repeats(const Method& method, Metadata metadata = {}, Repeat rule = Repeat::kAuto) {
  One in{Message()};
  Drop out;
  Call call(method, std::move(metadata), in, out);
  return repeatable(call, rule);
}
Metadata with(std::string_view name, std::string_view value) {
  Metadata metadata;
  metadata.add(name, value);
  return metadata;
}

TEST(Repeatable, ByIdempotencyLevel) {
  EXPECT_FALSE(repeats(Method("/t.T/M", false, false)));
  EXPECT_TRUE(repeats(Method("/t.T/M", false, false, Idempotency::kIdempotent)));
  EXPECT_TRUE(repeats(Method("/t.T/M", false, false, Idempotency::kNoSideEffects)));
}

TEST(Repeatable, ByKey) {
  const Method method("/t.T/M", false, false);
  EXPECT_TRUE(repeats(method, with("idempotency-key", "\"k\"")));
  EXPECT_FALSE(repeats(method, with("idempotency-key", "")));
  EXPECT_FALSE(repeats(method, with("idempotency-key", "\"k\""), Repeat::kNever));
  EXPECT_FALSE(repeats(method, {}, Repeat::kByKey));
  EXPECT_TRUE(repeats(method, {}, Repeat::kAlways));
}

TEST(Repeatable, APlainRequestByItsVerb) {
  const Method route("http:* /x", true, true);
  for (const char* verb : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
    EXPECT_TRUE(repeats(route, with(":method", verb))) << verb;
  for (const char* verb : {"POST", "PATCH", "CONNECT", "get"})
    EXPECT_FALSE(repeats(route, with(":method", verb))) << verb;
}

TEST(Repeatable, AMethodByTheVerbsOfAllItsRules) {
  auto contract = contract::contract_of(R"(
    message M { string id = 1; }
    service S {
      rpc Read(M) returns (M) { option (google.api.http) = {get: "/m/{id}" additional_bindings {get: "/n/{id}"}}; }
      rpc Replace(M) returns (M) { option (google.api.http) = {put: "/m/{id}" body: "*"}; }
      rpc Remove(M) returns (M) { option (google.api.http) = {delete: "/m/{id}"}; }
      rpc Make(M) returns (M) { option (google.api.http) = {post: "/m" body: "*"}; }
      rpc Change(M) returns (M) { option (google.api.http) = {patch: "/m/{id}" body: "*"}; }
      rpc Store(M) returns (M) {
        option (google.api.http) = {post: "/s" body: "*" additional_bindings {put: "/s/{id}" body: "*"}};
      }
      rpc Internal(M) returns (M);
    })");
  ASSERT_TRUE(contract) << contract.error().to_string();
  for (auto& method : (*contract)->services()[0]->methods()) {
    const bool expected = method->name() == "Read" || method->name() == "Replace" || method->name() == "Remove";
    EXPECT_EQ(repeats(method->plain()), expected) << method->name();
  }
}

}  // namespace
}  // namespace duplex::resilience
