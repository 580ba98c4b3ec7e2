#include "duplex/contract/router.h"

#include <gtest/gtest.h>

#include "contract/test_contract.h"

namespace duplex::contract {

namespace {

constexpr const char* kShop = R"(
message M { string id = 1; string name = 2; string rest = 3; }
service S {
  rpc Get(M) returns (M) { option (google.api.http) = {get: "/v1/things/{id}"}; }
  rpc Special(M) returns (M) { option (google.api.http) = {get: "/v1/things/special"}; }
  rpc Put(M) returns (M) { option (google.api.http) = {put: "/v1/things/{id}" body: "*"}; }
  rpc Login(M) returns (M) { option (google.api.http) = {post: "/v1/things/login" body: "*"}; }
  rpc Cancel(M) returns (M) { option (google.api.http) = {post: "/v1/things/{id}:cancel" body: "*"}; }
  rpc Named(M) returns (M) { option (google.api.http) = {get: "/v1/{name=shops/*/things/*}"}; }
  rpc Rest(M) returns (M) { option (google.api.http) = {get: "/v1/files/{rest=**}"}; }
  rpc Any(M) returns (M) { option (google.api.http) = {custom {kind: "*" path: "/v1/any"}}; }
  rpc Root(M) returns (M) { option (google.api.http) = {get: "/"}; }
  rpc Two(M) returns (M) { option (google.api.http) = {get: "/v1/{id}/of/{name}"}; }
}
)";

class RouterTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = contract_of(kShop);
    ASSERT_TRUE(loaded) << loaded.error().to_string();
    contract_ = *loaded;
    ASSERT_TRUE(router_.add(*contract_->services()[0]).is_ok());
  }
  // "Get id=7"; "405"; "404".
  std::string find(std::string_view verb, std::string_view path) const {
    const RouteMatch match = router_.find(verb, path);
    if (match.kind == RouteMatch::Kind::kNoPath) return "404";
    if (match.kind == RouteMatch::Kind::kOtherVerb) return "405";
    std::string out = match.rule->method->name();
    for (size_t i = 0; i < match.captures.size(); ++i)
      out += " " + match.rule->path.variables()[i].field_path + "=" + std::string(match.captures[i]);
    return out;
  }
  std::shared_ptr<const Contract> contract_;
  Router router_;
};

}  // namespace

TEST_F(RouterTest, FindsMethodAndVariables) {
  EXPECT_EQ(find("GET", "/v1/things/7"), "Get id=7");
  EXPECT_EQ(find("PUT", "/v1/things/7"), "Put id=7");
  EXPECT_EQ(find("GET", "/v1/shops/1/things/2"), "Named name=shops/1/things/2");
  EXPECT_EQ(find("GET", "/v1/a/of/b"), "Two id=a name=b");
  EXPECT_EQ(find("GET", "/"), "Root");
}

TEST_F(RouterTest, ALiteralBeatsAWildcardButOnlyForItsVerb) {
  EXPECT_EQ(find("GET", "/v1/things/special"), "Special");
  EXPECT_EQ(find("POST", "/v1/things/login"), "Login");
  EXPECT_EQ(find("GET", "/v1/things/login"), "Get id=login");
  EXPECT_EQ(find("PUT", "/v1/things/special"), "Put id=special");
}

TEST_F(RouterTest, ACustomVerbIsSplitOffIfARuleHasIt) {
  EXPECT_EQ(find("POST", "/v1/things/7:cancel"), "Cancel id=7");
  EXPECT_EQ(find("GET", "/v1/things/7:cancel"), "Get id=7:cancel");
  EXPECT_EQ(find("GET", "/v1/things/urn:x:y"), "Get id=urn:x:y");
}

TEST_F(RouterTest, TheRestTakesAnyNumberOfSegments) {
  EXPECT_EQ(find("GET", "/v1/files/a/b/c"), "Rest rest=a/b/c");
  EXPECT_EQ(find("GET", "/v1/files/a"), "Rest rest=a");
  EXPECT_EQ(find("GET", "/v1/files"), "Rest rest=");
  EXPECT_EQ(find("GET", "/v1/files/"), "Rest rest=");
}

TEST_F(RouterTest, AnUnknownVerbIsNotAnUnknownPath) {
  EXPECT_EQ(find("DELETE", "/v1/things/7"), "405");
  EXPECT_EQ(router_.allowed("/v1/things/7"), "GET, PUT");
  EXPECT_EQ(router_.allowed("/v1/things/login"), "GET, POST, PUT");
  EXPECT_EQ(router_.allowed("/v1/things/7:cancel"), "GET, POST, PUT");
  EXPECT_EQ(find("PROPFIND", "/v1/any"), "Any");
  EXPECT_EQ(router_.allowed("/nowhere"), "");
}

TEST_F(RouterTest, NearMissesAreNotFound) {
  for (const char* path : {"", "v1/things/7", "/v1/things", "/v1/things/", "/v1/things/7/", "/v1/things/7/8", "//",
                           "/v2", "/v1//of/b", "/V1/things/7"})
    EXPECT_EQ(find("GET", path), "404") << path;
  std::string long_path;
  for (int i = 0; i < 200; ++i) long_path += "/a";
  EXPECT_EQ(find("GET", long_path), "404");
}

TEST_F(RouterTest, LiteralsAreComparedDecoded) {
  EXPECT_EQ(find("GET", "/v1/%74hings/special"), "Special");
  EXPECT_EQ(find("GET", "/v1/things%2Fspecial"), "404");
  EXPECT_EQ(find("GET", "/v1/things/a%2Fb"), "Get id=a%2Fb");
}

TEST_F(RouterTest, TwoRulesOfOneShapeAreRefused) {
  auto other = contract_of(R"(message M { string key = 1; }
    service Other { rpc Fetch(M) returns (M) { option (google.api.http) = {get: "/v1/things/{key}"}; } })");
  ASSERT_TRUE(other);
  const Status s = router_.add(*(*other)->services()[0]);
  EXPECT_EQ(s.code(), Code::kAlreadyExists);
  EXPECT_NE(s.message().find("/t.Other/Fetch"), std::string::npos) << s.message();
  EXPECT_NE(s.message().find("/t.S/Get"), std::string::npos) << s.message();
}

}  // namespace duplex::contract
