#include "duplex/contract/path_template.h"

#include <gtest/gtest.h>

namespace duplex::contract {

TEST(PathTemplate, TakesTheWholeGrammar) {
  auto made = PathTemplate::parse("/v1/{shelf=shelves/*}/books/{book.id}/{rest=**}:read");
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->shape(), "/v1/shelves/*/books/*/**:read");
  EXPECT_EQ(made->verb(), "read");
  ASSERT_EQ(made->variables().size(), 3u);
  EXPECT_EQ(made->variables()[0].field_path, "shelf");
  EXPECT_EQ(made->variables()[0].first, 1u);
  EXPECT_EQ(made->variables()[0].count, 2u);
  EXPECT_TRUE(made->variables()[0].multi);
  EXPECT_EQ(made->variables()[1].field_path, "book.id");
  EXPECT_FALSE(made->variables()[1].multi);
  EXPECT_TRUE(made->variables()[2].multi);
}

TEST(PathTemplate, TakesTheRootAndWildcardsWithoutNames) {
  EXPECT_TRUE(PathTemplate::parse("/"));
  EXPECT_TRUE(PathTemplate::parse("/*/a/**"));
  EXPECT_TRUE(PathTemplate::parse("/a:b"));
  EXPECT_TRUE(PathTemplate::parse("/{a=*}:b"));
  auto encoded = PathTemplate::parse("/caf%C3%A9");
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->segments()[0].literal, "caf\xC3\xA9");
}

TEST(PathTemplate, RefusesWithThePlaceAndTheReason) {
  const struct {
    const char* text;
    const char* column;
  } bad[] = {
      {"", "column 1"},          {"v1/x", "column 1"},    {"/v1/", "column 5"},        {"/v1//x", "column 5"},
      {"/v1/{id", "column 8"},   {"/v1/{}", "column 6"},  {"/v1/{a={b}}", "column 8"}, {"/**/x", "column 2"},
      {"/{a=**}/x", "column 5"}, {"/v1/x:", "column 7"},  {"/v1/x y", "column 6"},     {"/{a..b}", "column 3"},
      {"/{a}/{a}", "column 7"},  {"/v1/***", "column 7"}, {"/%4", "column 2"},         {"/a:b:c", "column 5"},
      {"/a:b/c", "column 5"},
  };
  for (const auto& b : bad) {
    auto made = PathTemplate::parse(b.text);
    ASSERT_FALSE(made) << b.text;
    EXPECT_EQ(made.error().code(), Code::kInvalidArgument);
    EXPECT_NE(made.error().message().find(b.column), std::string::npos) << made.error().to_string();
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += "/{a" + std::to_string(i) + "}";
  EXPECT_FALSE(PathTemplate::parse(many));
}

TEST(PathTemplate, PercentCodingGoesBothWays) {
  EXPECT_EQ(*percent_decode("a%2Fb%20c"), "a/b c");
  EXPECT_EQ(*percent_decode("a%2Fb%2fc%20", true), "a%2Fb%2fc ");
  EXPECT_FALSE(percent_decode("100%"));
  EXPECT_FALSE(percent_decode("%zz"));
  EXPECT_EQ(percent_encode("a/b c"), "a%2Fb%20c");
  EXPECT_EQ(percent_encode("a/b c", true), "a/b%20c");
}

}  // namespace duplex::contract
