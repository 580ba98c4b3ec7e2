#include "duplex/contract/text_format.h"

#include "contract/test_contract.h"
#include "duplex/contract/json.h"

namespace duplex::contract {
namespace {

class TextFormat : public testing::Test {
 protected:
  std::shared_ptr<const Contract> contract = *contract_of(
      "message Price { int64 cents = 1; repeated string tags = 2; Price old = 3; bool true_price = 4; }\n"
      "message Flag { bool on = 1; }\n");
  const Type& price = *contract->find_type("t.Price");
  std::string as_json(const Result<Bytes>& bytes) {
    if (!bytes) return bytes.error().message();
    return std::string(proto_to_json(price, bytes->view(), {.proto_names = true, .print_zeros = false})->view());
  }
};

TEST_F(TextFormat, AMessageIsReadFromItsText) {
  EXPECT_EQ(as_json(text_to_proto(price, "cents: 5 tags: 'a' tags: \"b\" old { cents: 7 }")),
            "{\"cents\":\"5\",\"tags\":[\"a\",\"b\"],\"old\":{\"cents\":\"7\"}}");
  EXPECT_EQ(as_json(text_to_proto(price, "")), "{}");
}

TEST_F(TextFormat, AMistakeIsNamedWithItsPlace) {
  EXPECT_EQ(text_to_proto(price, "cents: 5\n  cent: 6").error().message(),
            "text of t.Price: line 2, column 7: Message type \"t.Price\" has no field named \"cent\".");
  EXPECT_EQ(text_to_proto(price, "cents: many").error().code(), Code::kInvalidArgument);
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "old {";
  EXPECT_EQ(text_to_proto(price, deep + std::string(200, '}')).error().code(), Code::kInvalidArgument);
}

TEST_F(TextFormat, WhatIsWrittenIsJsonOrTextFormatByHowItBegins) {
  EXPECT_EQ(as_json(written_to_proto(price, " {\"cents\": 5}")), "{\"cents\":\"5\"}");
  EXPECT_EQ(as_json(written_to_proto(price, "# a price\ncents: 5")), "{\"cents\":\"5\"}");
  EXPECT_EQ(as_json(written_to_proto(price, "true_price: true")), "{\"true_price\":true}");
  EXPECT_EQ(written_to_proto(price, " \n").error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace duplex::contract
