#include "duplex/contract/json.h"

#include <gtest/gtest.h>

#include "contract/json_text.h"
#include "contract/test_contract.h"

namespace duplex::contract {

namespace {

class JsonTest : public testing::Test {
 protected:
  void SetUp() override {
    contract_ = test_contract("clinic.proto");
    ASSERT_TRUE(contract_);
    type_ = contract_->find_type("clinic.v1.Appointment");
    ASSERT_TRUE(type_);
    sparse_.print_zeros = false;
  }
  // Through protobuf bytes and back.
  std::string there_and_back(std::string_view json, const JsonOptions& options) const {
    auto bytes = json_to_proto(*type_, json);
    if (!bytes) return bytes.error().to_string();
    auto text = proto_to_json(*type_, bytes->view(), options);
    return text ? text->to_string() : text.error().to_string();
  }
  void expect_same(std::string_view json) const { EXPECT_EQ(there_and_back(json, sparse_), json); }
  void expect_refused(std::string_view json, std::string_view named) const {
    auto bytes = json_to_proto(*type_, json);
    ASSERT_FALSE(bytes) << json;
    EXPECT_EQ(bytes.error().code(), Code::kInvalidArgument);
    EXPECT_NE(bytes.error().message().find(named), std::string::npos) << bytes.error().message();
  }
  std::shared_ptr<const Contract> contract_;
  const Type* type_ = nullptr;
  JsonOptions sparse_;
};

}  // namespace

TEST_F(JsonTest, ScalarsEnumsAndNestedMessages) {
  expect_same(
      R"({"id":"a-1","patient":{"record_number":"77","name":"Zoë \"Z\" \\ 日本"},"urgency":"URGENCY_EMERGENCY"})");
  expect_same(R"({"cost_cents":"-9223372036854775808","serial":"18446744073709551615","temperature":36.6,"dose":0.1})");
  expect_same(R"({"signature":"AAH/","confirmed":true})");
  expect_same(R"({"temperature":"NaN","dose":"-Infinity"})");
  expect_same(R"({"follow_up":{"follow_up":{"id":"third"}}})");
  EXPECT_EQ(there_and_back(R"({"urgency":2,"cost_cents":1234,"signature":"_-8"})", sparse_),
            R"({"urgency":"URGENCY_EMERGENCY","signature":"/+8=","cost_cents":"1234"})");
}

TEST_F(JsonTest, WellKnownTypes) {
  expect_same(R"({"starts_at":"2026-03-01T09:30:00.250Z","length":"1800s"})");
  expect_same(R"({"length":"-0.500s","visible":"patient,startsAt"})");
  expect_same(R"({"referral":"","insured":false})");
  expect_same(R"({"extra":{"a":[1,"x",null,{"b":true}]},"anything":null,"list":[1.5,[]]})");
}

TEST_F(JsonTest, OneofMapsAndRepeated) {
  expect_same(R"({"email":""})");
  expect_same(R"({"phone":{"number":"+49 30"}})");
  expect_same(R"({"floor_names":{"-1":"cellar"}})");
  expect_same(R"({"measurements":{"pulse":{"unit":"bpm","value":72}},"answers":{"true":"5"}})");
  expect_same(R"({"history":["URGENCY_ROUTINE","URGENCY_UNSPECIFIED"],)"
              R"("companions":[{"name":"A"},{}],"visit_codes":["1","2"]})");
  expect_refused(R"({"email":"a","phone":{"number":"1"}})", "contact");
}

TEST_F(JsonTest, OptionalFieldsKeepTheirZero) {
  expect_same(R"({"patient":{"nickname":"","age":0}})");
  EXPECT_EQ(there_and_back(R"({"patient":{}})", sparse_), R"({"patient":{}})");
}

TEST_F(JsonTest, AnyOfATypeOfTheContract) {
  expect_same(R"({"attachment":{"@type":"type.googleapis.com/clinic.v1.Measurement","unit":"kg","value":80}})");
  expect_same(R"({"attachment":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"3s"}})");
  expect_refused(R"({"attachment":{"@type":"type.googleapis.com/un.Known"}})", "un.Known");
}

TEST_F(JsonTest, AnyOfAZeroHasItsValue) {
  const std::pair<const char*, const char*> zeros[] = {{"BoolValue", "false"},
                                                       {"Int32Value", "0"},
                                                       {"UInt32Value", "0"},
                                                       {"Int64Value", R"("0")"},
                                                       {"UInt64Value", R"("0")"},
                                                       {"FloatValue", "0"},
                                                       {"DoubleValue", "0"},
                                                       {"StringValue", R"("")"},
                                                       {"BytesValue", R"("")"},
                                                       {"Duration", R"("0s")"},
                                                       {"Timestamp", R"("1970-01-01T00:00:00Z")"},
                                                       {"FieldMask", R"("")"},
                                                       {"Struct", "{}"},
                                                       {"Any", "{}"},
                                                       {"Value", "null"}};
  for (const auto& [name, value] : zeros) {
    const std::string any =
        R"({"@type":"type.googleapis.com/google.protobuf.)" + std::string(name) + R"(","value":)" + value + "}";
    expect_same(R"({"attachment":)" + any + "}");
    expect_same(R"({"documents":[)" + any + "," + any + "]}");
    expect_same(R"({"attachment":{"@type":"type.googleapis.com/clinic.v1.Appointment","attachment":)" + any + "}}");
    expect_same(R"({"attachment":{"@type":"type.googleapis.com/google.protobuf.Any","value":)" + any + "}}");
  }
  expect_same(R"({"attachment":{"@type":"type.googleapis.com/clinic.v1.Patient"}})");
  expect_same(R"({"attachment":{}})");
}

TEST_F(JsonTest, NamesGoInInBothFormsAndComeOutInTheChosenOne) {
  JsonOptions camel = sparse_;
  camel.proto_names = false;
  EXPECT_EQ(there_and_back(R"({"costCents":5,"otherName":"x"})", sparse_), R"({"cost_cents":"5","custom_name":"x"})");
  EXPECT_EQ(there_and_back(R"({"cost_cents":5,"custom_name":"x"})", camel), R"({"costCents":"5","otherName":"x"})");
}

TEST_F(JsonTest, ZerosAreWrittenByDefault) {
  const Type* patient = contract_->find_type("clinic.v1.Patient");
  auto json = proto_to_json(*patient, "");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->view(), R"({"record_number":"","name":""})");  // not the optional ones
  auto all = proto_to_json(*type_, "");
  ASSERT_TRUE(all);
  EXPECT_NE(all->view().find(R"("cost_cents":"0")"), std::string_view::npos) << all->view();
  EXPECT_NE(all->view().find(R"("history":[])"), std::string_view::npos);
  EXPECT_NE(all->view().find(R"("urgency":"URGENCY_UNSPECIFIED")"), std::string_view::npos);
  EXPECT_EQ(all->view().find("email"), std::string_view::npos);
}

TEST_F(JsonTest, BadInputNamesTheField) {
  expect_refused(R"({"price":1})", "price");
  expect_refused(R"({"patient":{"recrod_number":"1"}})", "recrod_number");
  expect_refused(R"({"cost_cents":"x"})", "cost_cents");
  expect_refused(R"({"urgency":"URGENT"})", "urgency");
  expect_refused(R"({"patient":5})", "patient");
  expect_refused(R"({"starts_at":"yesterday"})", "starts_at");
  expect_refused(R"({"id":"a")", "");
  expect_refused("", "");
  expect_refused(R"([1])", "");
  expect_refused(R"({} {})", "");
  expect_refused(std::string(300, '[') + std::string(300, ']'), "");
}

TEST_F(JsonTest, MalformedBytesAreRefused) {
  for (std::string_view bytes : {std::string_view("\x0a\x05"
                                                  "ab"),
                                 std::string_view("\x12\x02\x0a\x09"), std::string_view("\xff")}) {
    auto json = proto_to_json(*type_, bytes);
    ASSERT_FALSE(json);
    EXPECT_EQ(json.error().code(), Code::kInvalidArgument);
  }
}

TEST(JsonText, StringsAreEscapedAndMadeUtf8) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01\xC3\xA9"), "\"a\\\"b\\\\c\\n\\u0001\xC3\xA9\"");
  EXPECT_EQ(json_string("\xFF\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string("\x7f"), "\"\x7f\"");
}

TEST(JsonText, ASingleValueCannotOpenMoreThanItCloses) {
  EXPECT_TRUE(is_single_json_value(R"({"a":[1,2],"b":"}"})"));
  EXPECT_TRUE(is_single_json_value(R"( [1, 2] )"));
  EXPECT_FALSE(is_single_json_value(R"(1,"x":2)"));
  EXPECT_FALSE(is_single_json_value(R"([1],"x":[2])"));
  EXPECT_FALSE(is_single_json_value(R"(1},"x":{"y":2)"));
  EXPECT_FALSE(is_single_json_value(R"('a",b')"));
  EXPECT_FALSE(is_single_json_value(R"(["a)"));
}

TEST(JsonText, FindsAMember) {
  EXPECT_EQ(find_json_member(R"({"a":{"b":1},"b":[2,{"c":"}"}],"c":3})", "b"), R"([2,{"c":"}"}])");
  EXPECT_EQ(find_json_member(R"({"a":1})", "a"), "1");
  EXPECT_EQ(find_json_member(R"({"a":1})", "b"), std::nullopt);
  EXPECT_EQ(find_json_member("[]", "b"), std::nullopt);
}

TEST(JsonText, ListsItems) {
  using Items = std::vector<std::string_view>;
  EXPECT_EQ(json_items(R"([{"a":[1,2]},"x,]",3])"), (Items{R"({"a":[1,2]})", R"("x,]")", "3"}));
  EXPECT_EQ(json_items(" [ ] "), Items{});
  EXPECT_EQ(json_items("{}"), Items{});
  EXPECT_EQ(json_items("[1"), Items{});
}

}  // namespace duplex::contract
