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

TEST_F(JsonTest, AnErrorNamesThePathAndTheMend) {
  expect_refused(R"({"companions":[{},{"name":5}]})", "companions[1].name: a string is wanted, not 5");
  expect_refused(R"({"measurements":{"pulse":{"value":"fast"}}})", "measurements.pulse.value: a number");
  expect_refused(R"({"doses":[1,2,"x"]})", "doses[2]: ");
  expect_refused(R"({"followUp":{"patient":{"colour":1}}})",
                 "followUp.patient.colour: clinic.v1.Patient has no such field");
  expect_refused(R"({"attachment":{"@type":"type.googleapis.com/clinic.v1.Phone","nr":1}})", "attachment.nr: ");
  expect_refused(R"({"extra":{"a":[1,{"b":1e999}]}})", "extra.a[1].b: ");
}

TEST_F(JsonTest, WhatIsNotJsonIsNamedByItsPlace) {
  expect_refused("{\"id\":\"a\",\n \"class\" \"x\"}", "line 2, column ");
  expect_refused(R"({"id":"\x"})", "line 1, column 8: id: a string holds an escape that is none");
  expect_refused(R"({"id":"\ud800"})", "surrogate");
  expect_refused(R"({"id":"\udc00\ud800"})", "surrogate");
  expect_refused("{\"id\":\"a\nb\"}", "control character");
  expect_refused("{\"id\":\"\xff\"}", "UTF-8");
  expect_refused(R"({"id":"a)", "quote is missing");
  expect_refused(R"({"id":"a"}])", "");
  expect_refused(R"({"id":"a"},{})", "one value");
  expect_refused(R"({"id":"a"} x)", "");
  expect_refused(R"({"id":"a",})", "");
  expect_refused(R"({'id':"a"})", "");
  expect_refused(R"({id:"a"})", "");
  expect_refused(R"({"tags":["a",]})", "");
  expect_refused(R"({"tags":["a":1]})", "");
  expect_refused(R"({"tags":["a"})", "");
  expect_refused(R"({"confirmed":truex})", "");
  expect_refused("   ", "empty");
}

TEST_F(JsonTest, NothingStandsTwice) {
  expect_refused(R"({"id":"a","id":"b"})", "id: the field stands twice");
  expect_refused(R"({"costCents":1,"cost_cents":1})", "cost_cents: the field stands twice");
  expect_refused(R"({"floor_names":{"1":"a","2":"b","1":"c"}})", "floor_names: a key stands twice");
  expect_refused(R"({"measurements":{"a":{},"":{},"a":{}}})", "measurements: a key stands twice");
  expect_refused(R"({"extra":{"first_of_two":1,"first_of_twn":2,"first_of_two":3}})", "extra: a key stands twice");
  expect_refused(R"({"attachment":{"@type":"type.googleapis.com/clinic.v1.Phone","@type":"x/y"}})", "@type");
  expect_same(R"({"measurements":{"a":{"value":1},"b":{"value":2},"":{"unit":"x"}}})");
}

TEST_F(JsonTest, NullIsAbsentButInListsAndMaps) {
  EXPECT_EQ(there_and_back(R"({"id":null,"patient":null,"tags":null,"beds":null,"email":null,"phone":{}})", sparse_),
            R"({"phone":{}})");
  expect_same(R"({"anything":null})");
  expect_same(R"({"notes":{"7":null}})");
  expect_refused(R"({"tags":[null]})", "tags[0]: null cannot stand in a list");
  expect_refused(R"({"beds":{"1":null}})", "beds.1: null cannot stand in a map");
}

TEST_F(JsonTest, NumbersAreExactHoweverTheyAreWritten) {
  EXPECT_EQ(there_and_back(R"({"serial":18446744073709551615,"cost_cents":9007199254740993})", sparse_),
            R"({"cost_cents":"9007199254740993","serial":"18446744073709551615"})");
  EXPECT_EQ(there_and_back(R"({"cost_cents":90071992547409930e-1,"delta":1e3,"offset":"-20.0"})", sparse_),
            R"({"cost_cents":"9007199254740993","delta":1000,"offset":-20})");
  for (const char* number :
       {"5e-324", "1.7976931348623157e+308", "0.1", "-0", "1e+22", "123456789012345680", "0.000001"})
    expect_same(R"({"doses":[)" + std::string(number) + "]}");
  expect_refused(R"({"delta":1.5})", "delta: a whole number of 32 bits is wanted, not 1.5");
  expect_refused(R"({"delta":2147483648})", "delta");
  expect_refused(R"({"delta":01})", "delta");
  expect_refused(R"({"dose":1e400})", "dose");
  expect_refused(R"({"temperature":3.5e38})", "temperature");
  expect_refused(R"({"dose":NaN})", "dose");
  expect_refused(R"({"floor":-1})", "floor");
}

TEST_F(JsonTest, AnAnyMayNameItsTypeLast) {
  EXPECT_EQ(
      there_and_back(R"({"attachment":{"number":"1","\u0040type":"type.googleapis.com/clinic.v1.Phone"}})", sparse_),
      R"({"attachment":{"@type":"type.googleapis.com/clinic.v1.Phone","number":"1"}})");
  EXPECT_EQ(
      there_and_back(R"({"attachment":{"value":{"value":"1s","@type":"x/google.protobuf.Duration"},)"
                     R"("@type":"x/google.protobuf.Any"}})",
                     sparse_),
      R"({"attachment":{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Duration","value":"1s"}}})");
  expect_refused(R"({"attachment":{"number":"1"}})", "@type\" is missing");
  expect_refused(R"({"attachment":{"@type":"x/google.protobuf.Duration"}})", "\"value\" is missing");
}

TEST_F(JsonTest, WhatIsUnknownIsSkippedWhereThePolicySaysSoButMustBeJson) {
  JsonReading lenient;
  lenient.skip_unknown = true;
  const auto read = [&](std::string_view json) {
    auto bytes = json_to_proto(*type_, json, lenient);
    if (!bytes) return bytes.error().message();
    return proto_to_json(*type_, bytes->view(), sparse_)->to_string();
  };
  EXPECT_EQ(read(R"({"x":{"y":[1,true,"\u00e9",null,{"z":-0.5e3}]},"id":"a","urgency":"URGENCY_NEW"})"),
            R"({"id":"a"})");
  EXPECT_EQ(read(R"({"history":["URGENCY_NEW","URGENCY_ROUTINE"],"triage":{"a":"URGENCY_NEW","b":1}})"),
            R"({"history":["URGENCY_ROUTINE"],"triage":{"b":"URGENCY_ROUTINE"}})");
  EXPECT_NE(read(R"({"x":[1,{"y":tru}]})").find("x[1].y"), std::string::npos);
  EXPECT_NE(read(R"({"x":"\q"})").find("escape"), std::string::npos);
  EXPECT_NE(read(R"({"x":)" + std::string(200, '[') + std::string(200, ']') + "}").find("deep"), std::string::npos);
}

TEST_F(JsonTest, TheOrderOnTheWireDoesNotMatter) {
  const auto bytes_of = [&](std::string_view json) { return json_to_proto(*type_, json)->to_string(); };
  const auto written = [&](const std::string& wire) { return proto_to_json(*type_, wire, sparse_)->to_string(); };
  EXPECT_EQ(written(bytes_of(R"({"tags":["a"],"patient":{"name":"N"},"id":"1"})") +
                    bytes_of(R"({"id":"2","tags":["b"],"patient":{"record_number":"7"}})")),
            R"({"id":"2","patient":{"record_number":"7","name":"N"},"tags":["a","b"]})");
  // The last member of a oneof, and of its parts those since another one's.
  const std::string phone = bytes_of(R"({"phone":{"number":"1"}})"), email = bytes_of(R"({"email":"a"})");
  EXPECT_EQ(written(phone + email), R"({"email":"a"})");
  EXPECT_EQ(written(email + phone), R"({"phone":{"number":"1"}})");
  EXPECT_EQ(written(phone + email + bytes_of(R"({"phone":{}})")), R"({"phone":{}})");
  // Of a map's key the last value; packed and single values of one list.
  EXPECT_EQ(written(bytes_of(R"({"beds":{"1":{"name":"A"},"2":{}}})") + bytes_of(R"({"beds":{"1":{"name":"B"}}})")),
            R"({"beds":{"2":{},"1":{"name":"B"}}})");
  EXPECT_EQ(written(std::string("\x58\x01\x5a\x02\x02\x00\x58\x02", 8)),
            R"({"history":["URGENCY_ROUTINE","URGENCY_EMERGENCY","URGENCY_UNSPECIFIED","URGENCY_EMERGENCY"]})");
  EXPECT_EQ(written(std::string("\x52\x04\x08\x04\x10\x01\x52\x04\x08\x01\x10\x02", 12)),
            R"({"answers":{"true":"2"}})");
  // Of 32 bits those above do not count.
  EXPECT_EQ(written(std::string("\xb0\x03\x80\x80\x80\x80\x10", 7)), "{}");
  // A field with another wire type than its own is an unknown one.
  EXPECT_EQ(written(std::string("\x08\x01\x0a\x01x", 5)), R"({"id":"x"})");
}

TEST_F(JsonTest, OptionsChooseHowItIsWritten) {
  JsonOptions numbers = sparse_;
  numbers.enums_as_numbers = true;
  EXPECT_EQ(there_and_back(R"({"urgency":"URGENCY_EMERGENCY","history":[7,1]})", numbers),
            R"({"urgency":2,"history":[7,1]})");
  EXPECT_EQ(there_and_back(R"({"ward":"WARD_PAEDIATRICS","urgency":7})", sparse_),
            R"({"urgency":7,"ward":"WARD_CHILDREN"})");
}

TEST_F(JsonTest, WhatHasNoJsonFormIsNamedByItsPath) {
  const auto fault = [&](const std::string& wire) {
    auto json = proto_to_json(*type_, wire, sparse_);
    return json ? json->to_string() : json.error().message();
  };
  EXPECT_NE(
      fault(std::string("\x62\x02\x0a\x00\x62\x03\x12\x01\xff", 9)).find("companions[1].name: a text is not UTF-8"),
      std::string::npos);
  EXPECT_NE(fault(std::string("\x9a\x01\x05\x0a\x03"
                              "a_1",
                              8))
                .find("visible: the path \"a_1\""),
            std::string::npos);
  std::string deep;
  for (int i = 0; i < 101; ++i) {
    std::string outer = "\xd2\x01";  // follow_up
    for (size_t size = deep.size();; size >>= 7) {
      outer += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
      if (size <= 0x7f) break;
    }
    deep = outer + deep;
  }
  EXPECT_NE(fault(deep).find("nested more than 100 deep"), std::string::npos);
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
