#include "duplex/contract/rest_message.h"

#include <gtest/gtest.h>

#include <google/protobuf/dynamic_message.h>

#include <memory>

#include "contract/merge.h"
#include "contract/test_contract.h"
#include "contract/wire.h"

namespace duplex::contract {

namespace {

class RestTest : public testing::Test {
 protected:
  void SetUp() override {
    contract_ = test_contract("dispatch.proto");
    ASSERT_TRUE(contract_);
    ASSERT_TRUE(router_.add(*contract_->find_service("ridehail.dispatch.v1.Dispatch")).is_ok());
    sparse_.print_zeros = false;
  }
  // The request as sparse JSON, or the error.
  std::string request(std::string_view verb, std::string_view target, std::string_view body = "") const {
    const size_t mark = target.find('?');
    const std::string_view query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
    const RouteMatch match = router_.find(verb, target.substr(0, mark));
    if (match.kind != RouteMatch::Kind::kFound) return "no route";
    auto bytes = assemble_request(*match.rule, match.captures, query, body);
    if (!bytes) return bytes.error().to_string();
    // In the order of the field numbers, as a parser would write it.
    google::protobuf::DynamicMessageFactory factory;
    const Type& type = match.rule->method->input();
    const std::unique_ptr<google::protobuf::Message> parsed(factory.GetPrototype(&type.descriptor())->New());
    if (!parsed->ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) return "malformed";
    EXPECT_EQ(merged(type.descriptor(), bytes->view()).size(), bytes->size()) << target;  // nothing stands twice
    auto json = proto_to_json(type, parsed->SerializeAsString(), sparse_);
    return json ? json->to_string() : json.error().to_string();
  }
  void expect_refused(std::string_view target, std::string_view named) const {
    const std::string got = request("GET", target);
    EXPECT_TRUE(got.starts_with("INVALID_ARGUMENT")) << got;
    EXPECT_NE(got.find(named), std::string::npos) << got;
  }
  const Method& method(const std::string& name) const {
    return *contract_->find_method("/ridehail.dispatch.v1.Dispatch/" + name);
  }
  std::shared_ptr<const Contract> contract_;
  Router router_;
  JsonOptions sparse_;
};

}  // namespace

TEST_F(RestTest, PathVariables) {
  EXPECT_EQ(request("GET", "/v1/rides/r%2F7%20x"), R"({"id":"r/7 x"})");
  EXPECT_EQ(request("GET", "/v1/archives/2026/files/a%2Fb/c%20d"), R"({"name":"archives/2026/files/a%2Fb/c d"})");
  EXPECT_TRUE(request("GET", "/v1/rides/%zz").starts_with("INVALID_ARGUMENT: path variable \"id\""));
  EXPECT_TRUE(request("GET", "/v1/rides/%ff").starts_with("INVALID_ARGUMENT: path variable \"id\""));
}

TEST_F(RestTest, QueryOfEveryKind) {
  const std::pair<const char*, const char*> kinds[] = {
      {"page_size=-3", R"("page_size":-3)"},
      {"pageSize=4", R"("page_size":4)"},
      {"after_fare=18446744073709551615", R"("after_fare":"18446744073709551615")"},
      {"only_open=true", R"("only_open":true)"},
      {"classes=VEHICLE_CLASS_VAN&classes=1", R"("classes":["VEHICLE_CLASS_VAN","VEHICLE_CLASS_STANDARD"])"},
      {"tags=a+b&tags=c%26d&tags=", R"("tags":["a b","c&d",""])"},
      {"rider.id=9&rider.display_name=Jo", R"("rider":{"id":"9","display_name":"Jo"})"},
      {"since=2026-01-02T03:04:05Z", R"("since":"2026-01-02T03:04:05Z")"},
      {"longer_than=1.5s", R"("longer_than":"1.500s")"},
      {"min_fare=0", R"("min_fare":"0")"},
      {"driver=x", R"("driver":"x")"},
      {"radius_km=2.5", R"("radius_km":2.5)"},
      {"radius_km=-Infinity", R"("radius_km":"-Infinity")"},
      {"cursor=_-8", R"("cursor":"/+8=")"},
      {"delta=-5", R"("delta":-5)"},
      {"shard=7", R"("shard":"7")"},
      {"tilt=-8", R"("tilt":-8)"},
      {"rating=4.5", R"("rating":4.5)"},
      {"zones=1&zones=2", R"("zones":[1,2])"},
      {"pooled=false", R"("pooled":false)"},
  };
  for (const auto& [query, json] : kinds)
    EXPECT_EQ(request("GET", std::string("/v1/rides?") + query), "{" + std::string(json) + "}") << query;
  EXPECT_EQ(request("GET", "/v1/cities/bonn/rides?page_size=1&&"), R"({"city":"bonn","page_size":1})");
  EXPECT_EQ(request("GET", "/v1/rides/7?fields=pickup,fareCents"), R"({"id":"7","fields":"pickup,fareCents"})");
}

TEST_F(RestTest, QueryFaultsNameTheParameter) {
  expect_refused("/v1/rides?colour=red", "\"colour\"");
  expect_refused("/v1/rides?rider.age=3", "\"age\"");
  expect_refused("/v1/rides?page_size=big", "\"page_size\"");
  expect_refused("/v1/rides?page_size=99999999999", "\"page_size\"");
  expect_refused("/v1/rides?page_size=", "\"page_size\"");
  expect_refused("/v1/rides?after_fare=-1", "\"after_fare\"");
  expect_refused("/v1/rides?only_open=yes", "\"only_open\"");
  expect_refused("/v1/rides?classes=BIKE", "\"classes\"");
  expect_refused("/v1/rides?since=yesterday", "\"since\"");
  expect_refused("/v1/rides?longer_than=5", "\"longer_than\"");
  expect_refused("/v1/rides?cursor=***", "\"cursor\"");
  expect_refused("/v1/rides?rider=x", "\"rider\"");
  expect_refused("/v1/rides?labels=x", "\"labels\"");
  expect_refused("/v1/rides?labels.key=x", "labels");
  expect_refused("/v1/rides?page_size=1&page_size=2", "given twice");
  expect_refused("/v1/cities/bonn/rides?city=koeln", "\"city\"");
  expect_refused("/v1/rides?tags=%ff", "\"tags\"");
  expect_refused("/v1/rides?tags=%2", "\"tags\"");
  expect_refused("/v1/rides?tags.x=1", "\"tags.x\"");
  expect_refused("/v1/rides?card=1&voucher=2", "\"card\" is given too");
}

TEST_F(RestTest, BodyOfTheWholeRequest) {
  EXPECT_EQ(request("POST", "/v1/rides/7:cancel", R"({"reason":"late"})"), R"({"id":"7","reason":"late"})");
  EXPECT_EQ(request("POST", "/v1/rides/7:cancel", R"({"id":"8"})"), R"({"id":"7"})");  // the path wins
  EXPECT_EQ(request("POST", "/v1/rides/7:cancel", ""), R"({"id":"7"})");
  EXPECT_EQ(request("PATCH", "/v1/rides/7", R"({"ride":{"fare_cents":5},"update_mask":"fareCents"})"),
            R"({"ride":{"id":"7","fare_cents":"5"},"update_mask":"fareCents"})");
  EXPECT_TRUE(request("POST", "/v1/rides/7:cancel?reason=x", "{}").starts_with("INVALID_ARGUMENT"));
  EXPECT_NE(request("POST", "/v1/rides/7:cancel", R"({"raeson":1})").find("raeson"), std::string::npos);
}

TEST_F(RestTest, BodyOfOneField) {
  EXPECT_EQ(request("POST", "/v1/cities/bonn/rides?dry_run=true", R"({"fare_cents":"12","pickup":{"label":"A"}})"),
            R"({"city":"bonn","ride":{"pickup":{"label":"A"},"fare_cents":"12"},"dry_run":true})");
  EXPECT_EQ(request("POST", "/v1/rides/7/notes", R"(["a", "b"])"), R"({"id":"7","notes":["a","b"]})");
  for (const char* body : {R"(["a"],"id":"8")", R"(["a"]},{"x":1)", "{}", R"(["a")", R"(['a'])"})
    EXPECT_TRUE(request("POST", "/v1/rides/7/notes", body).starts_with("INVALID_ARGUMENT")) << body;
  EXPECT_TRUE(request("POST", "/v1/cities/bonn/rides?ride.id=8", "{}").starts_with("INVALID_ARGUMENT"));
}

TEST_F(RestTest, AFieldOfTheBodyMayStandInThePath) {
  contract_ = test_contract("clinic.proto");
  ASSERT_TRUE(contract_);
  router_ = Router();
  ASSERT_TRUE(router_.add(*contract_->find_service("clinic.v1.Appointments")).is_ok());
  EXPECT_EQ(request("PATCH", "/v1/appointments/7?update_mask=bill,costCents", R"({"id":"8","bill":{"state":"PAID"}})"),
            R"({"appointment":{"id":"7","bill":{"state":"PAID"}},"update_mask":"bill,costCents"})");
  EXPECT_EQ(request("PATCH", "/v1/appointments/7", ""), R"({"appointment":{"id":"7"}})");
  const HttpRule& rule = contract_->find_method("/clinic.v1.Appointments/Amend")->http_rules()[0];
  auto bytes = json_to_proto(rule.method->input(), R"({"appointment":{"id":"a/7","tags":["x"]},"if_revision":"0"})");
  ASSERT_TRUE(bytes);
  auto split = split_request(rule, bytes->view());
  ASSERT_TRUE(split) << split.error().to_string();
  EXPECT_EQ(split->target, "/v1/appointments/a%2F7?if_revision=0");
  EXPECT_EQ(request("PATCH", split->target, split->body.view()),
            R"({"appointment":{"id":"a/7","tags":["x"]},"if_revision":"0"})");
}

TEST_F(RestTest, MergingKeepsTheLastOfEachSingleFieldAndAllRepeated) {
  const Type& type = method("ListRides").input();
  auto first = json_to_proto(type, R"({"card":"a","tags":["x"],"rider":{"id":"1","display_name":"N"}})");
  auto second = json_to_proto(type, R"({"voucher":"b","tags":["y"],"rider":{"id":"2"}})");
  auto json = proto_to_json(type, merged(type.descriptor(), first->to_string() + second->to_string()), sparse_);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->view(), R"({"tags":["x","y"],"rider":{"id":"2","display_name":"N"},"voucher":"b"})");
}

TEST_F(RestTest, AMethodWithoutABodyTakesNone) {
  EXPECT_TRUE(request("GET", "/v1/rides/7", R"({"id":"8"})").starts_with("INVALID_ARGUMENT"));
  EXPECT_EQ(request("GET", "/v1/rides/7", " \n"), R"({"id":"7"})");
}

TEST_F(RestTest, ResponseBodyIsOneField) {
  const HttpRule& rule = method("ListRides").http_rules()[0];
  auto bytes = json_to_proto(method("ListRides").output(), R"({"rides":[{"id":"1"},{"id":"2"}],"total":2})");
  ASSERT_TRUE(bytes);
  auto json = render_response(rule, bytes->view(), sparse_);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->view(), R"([{"id":"1"},{"id":"2"}])");
  auto back = assemble_response(rule, json->view());
  ASSERT_TRUE(back);
  EXPECT_EQ(render_response(rule, back->view(), sparse_)->view(), json->view());
  EXPECT_EQ(render_response(rule, "")->view(), "[]");
}

TEST_F(RestTest, AResponseWithoutAJsonFormIsTheServicesFault) {
  std::string when, ride;
  wire::put_number(when, 1, 1ull << 60);
  wire::put_bytes(ride, 7, when);
  auto json = render_response(method("GetRide").http_rules()[0], ride);
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code(), Code::kInternal);
  EXPECT_NE(json.error().message().find("requested_at"), std::string::npos) << json.error().message();
}

TEST_F(RestTest, AClientReadsWhatANewerServerSays) {
  const HttpRule& whole = method("GetRide").http_rules()[0];
  auto bytes = assemble_response(whole, R"({"id":"1","later":[{"x":1}],"vehicle_class":"VEHICLE_CLASS_ROCKET"})");
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  EXPECT_EQ(render_response(whole, bytes->view(), sparse_)->view(), R"({"id":"1"})");
  const HttpRule& field = method("ListRides").http_rules()[0];
  bytes = assemble_response(field, R"([{"id":"1","later":1}])");
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  EXPECT_EQ(render_response(field, bytes->view(), sparse_)->view(), R"([{"id":"1"}])");
  EXPECT_FALSE(assemble_response(whole, R"({"fare_cents":"many"})"));
}

TEST_F(RestTest, AnAbsentFieldIsAnAbsentBody) {
  auto bytes = json_to_proto(method("RequestRide").input(), R"({"city":"bonn"})");
  auto split = split_request(method("RequestRide").http_rules()[0], bytes->view());
  ASSERT_TRUE(split);
  EXPECT_TRUE(split->body.empty());
  EXPECT_EQ(request("POST", split->target, split->body.view()), R"({"city":"bonn"})");
}

TEST_F(RestTest, AClientSplitsWhatAServerAssembles) {
  const struct {
    const char* method;
    const char* json;
    const char* verb;
    const char* target;
  } calls[] = {
      {"GetRide", R"({"id":"r/7 x"})", "GET", "/v1/rides/r%2F7%20x"},
      {"ReadFile", R"({"name":"archives/2026/files/a/c d"})", "GET", "/v1/archives/2026/files/a/c%20d"},
      {"RequestRide", R"({"city":"bonn","ride":{"pickup":{"label":"A"}},"dry_run":true})", "POST",
       "/v1/cities/bonn/rides?dry_run=true"},
      {"AddNotes", R"({"id":"7","notes":["a","b"]})", "POST", "/v1/rides/7/notes"},
      {"CancelRide", R"({"id":"7","reason":"late"})", "POST", "/v1/rides/7:cancel"},
      {"ListRides",
       R"({"city":"b","page_size":-3,"classes":["VEHICLE_CLASS_VAN"],"tags":["a b"],"rider":{"id":"9"},)"
       R"("since":"2026-01-02T03:04:05Z","longer_than":"1.500s","min_fare":"0","radius_km":2.5,"cursor":"/+8=",)"
       R"("delta":-5,"shard":"7","tilt":-8,"rating":4.5,"zones":[1,-2],"pooled":false})",
       "GET", nullptr},
  };
  for (const auto& call : calls) {
    auto bytes = json_to_proto(method(call.method).input(), call.json);
    ASSERT_TRUE(bytes) << bytes.error().to_string();
    auto split = split_request(method(call.method).http_rules()[0], bytes->view());
    ASSERT_TRUE(split) << split.error().to_string();
    if (call.target) {
      EXPECT_EQ(split->target, call.target);
    }
    EXPECT_EQ(request(call.verb, split->target, split->body.view()), call.json) << split->target;
  }
  EXPECT_FALSE(split_request(method("GetRide").http_rules()[0], ""));  // an empty path variable
  auto labels = json_to_proto(method("ListRides").input(), R"({"city":"b","labels":{"a":"b"}})");
  EXPECT_FALSE(split_request(method("ListRides").http_rules()[0], labels->view()));
}

}  // namespace duplex::contract
