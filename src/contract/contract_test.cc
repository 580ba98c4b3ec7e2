#include "duplex/contract/contract.h"

#include <gtest/gtest.h>

#include "contract/test_contract.h"
#include "duplex/contract/description.h"

namespace duplex::contract {

TEST(Contract, KnowsServicesMethodsAndTypes) {
  auto contract = test_contract("dispatch.proto");
  ASSERT_TRUE(contract);
  const Service* service = contract->find_service("ridehail.dispatch.v1.Dispatch");
  ASSERT_TRUE(service);
  EXPECT_EQ(service->methods().size(), 11u);
  const Method* get = contract->find_method("/ridehail.dispatch.v1.Dispatch/GetRide");
  ASSERT_TRUE(get);
  EXPECT_EQ(get->name(), "GetRide");
  EXPECT_EQ(get->service_name(), "ridehail.dispatch.v1.Dispatch");
  EXPECT_EQ(get->idempotency(), Idempotency::kNoSideEffects);
  EXPECT_EQ(get->input().name(), "ridehail.dispatch.v1.GetRideRequest");
  EXPECT_EQ(get->output().url(), "type.googleapis.com/ridehail.dispatch.v1.Ride");
  EXPECT_EQ(get->plain().name, get->path());
  EXPECT_EQ(get->plain().contract, get);
  const Method* track = service->find_method("Track");
  ASSERT_TRUE(track);
  EXPECT_TRUE(track->caller_streams() && track->service_streams());
  EXPECT_TRUE(track->http_rules().empty());
  EXPECT_EQ(service->find_method("Nothing"), nullptr);
  EXPECT_TRUE(contract->find_type("ridehail.dispatch.v1.Place"));
  EXPECT_TRUE(contract->find_type("google.protobuf.Any"));
  EXPECT_EQ(contract->find_type("no.Such"), nullptr);
}

TEST(Contract, ReadsRulesAndAdditionalBindings) {
  auto contract = test_contract("dispatch.proto");
  ASSERT_TRUE(contract);
  const auto& list = contract->find_method("/ridehail.dispatch.v1.Dispatch/ListRides")->http_rules();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].verb, "GET");
  EXPECT_EQ(list[0].response_body, "rides");
  EXPECT_TRUE(list[0].response_field);
  EXPECT_EQ(list[1].path.text(), "/v1/rides");
  const auto& file = contract->find_method("/ridehail.dispatch.v1.Dispatch/ReadFile")->http_rules();
  ASSERT_EQ(file.size(), 2u);
  EXPECT_EQ(file[1].verb, "SEARCH");
  const auto& update = contract->find_method("/ridehail.dispatch.v1.Dispatch/UpdateRide")->http_rules();
  ASSERT_EQ(update.size(), 1u);
  EXPECT_EQ(update[0].variables[0].size(), 2u);
}

TEST(Contract, TwoContractsMayUseOneNameDifferently) {
  auto one = contract_of("message M { string a = 1; } service S { rpc Do(M) returns (M); }");
  auto two = contract_of("message M { int64 b = 1; } service S { rpc Do(M) returns (M); }");
  ASSERT_TRUE(one && two);
  EXPECT_NE(&(*one)->find_type("t.M")->descriptor(), &(*two)->find_type("t.M")->descriptor());
}

TEST(Contract, FaultsNameFileMethodAndReason) {
  const struct {
    const char* rule;
    const char* reason;
  } faults[] = {
      {R"(get: "v1/x")", "begins with `/`"},
      {R"(get: "/v1/{nope}")", "t.M has no field \"nope\""},
      {R"(get: "/v1/{inner.nope}")", "t.Inner has no field \"nope\""},
      {R"(get: "/v1/{inner}")", "is a repeated field or a message"},
      {R"(get: "/v1/{many}")", "is a repeated field or a message"},
      {R"(get: "/v1/{id.x}")", "nothing can follow it"},
      {R"(post: "/v1/x" body: "nope")", "has no field \"nope\""},
      {R"(post: "/v1/{id}" body: "id")", "both in the path and the body"},
      {R"(get: "/v1/x" body: "*")", "a GET has no body"},
      {R"(get: "/v1/x" response_body: "nope")", "response_body: t.M has no field"},
      {R"(body: "*")", "names no verb and path"},
      {R"(get: "/a" additional_bindings {get: "/b" additional_bindings {get: "/c"}})", "cannot stand within"},
      {R"(get: "/v1/same")", "the route GET /v1/same"},
  };
  for (const auto& fault : faults) {
    auto loaded = contract_of(std::string(R"(
      message Inner { string id = 1; }
      message M { string id = 1; Inner inner = 2; repeated string many = 3; }
      service S {
        rpc Do(M) returns (M) { option (google.api.http) = {)") +
                              fault.rule + R"(}; }
        rpc Same(M) returns (M) { option (google.api.http) = {get: "/v1/same"}; }
      })");
    ASSERT_FALSE(loaded) << fault.rule;
    const std::string& message = loaded.error().message();
    EXPECT_NE(message.find(fault.reason), std::string::npos) << message;
    EXPECT_NE(message.find("made.proto"), std::string::npos) << message;
    EXPECT_NE(message.find("Do"), std::string::npos) << message;
  }
}

TEST(Contract, RefusesWhatIsNoDescriptorSet) {
  EXPECT_FALSE(Contract::load("\xff\xff not one"));
  auto empty = Contract::load("");
  ASSERT_TRUE(empty) << empty.error().to_string();
  EXPECT_TRUE((*empty)->services().empty());
  // A FileDescriptorSet of one file that imports another which is not there.
  auto loaded = Contract::load(
      "\x0a\x16\x0a\x07"
      "a.proto\x1a\x0b"
      "other.proto");
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message().find("other.proto"), std::string::npos) << loaded.error().message();
  EXPECT_NE(loaded.error().message().find("--include_imports"), std::string::npos);
  auto circle = Contract::load(
      "\x0a\x12\x0a\x07"
      "a.proto\x1a\x07"
      "a.proto");
  EXPECT_FALSE(circle);
}

TEST(ProtoFiles, FaultsNameLineAndColumn) {
  auto missing = read_proto_files({"no_such.proto"}, {DUPLEX_CONTRACT_TESTDATA});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("no_such.proto"), std::string::npos);
  auto broken = contract_of("message M {\n  strin id = 1;\n}\n");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("made.proto:5:3"), std::string::npos) << broken.error().message();
}

TEST(ServiceDescription, SaysWhyItHasNoContract) {
  const ServiceDescription broken("a.B", {{"Do"}}, Result<std::shared_ptr<const Contract>>(Status::internal("why")));
  EXPECT_EQ(broken.status().message(), "why");
  ASSERT_EQ(broken.methods().size(), 1u);
  EXPECT_EQ(broken.method(0).name, "/a.B/Do");
  EXPECT_EQ(broken.method(0).contract, nullptr);
}

}  // namespace duplex::contract
