#include "cli/call.h"

#include <gtest/gtest.h>

namespace duplex::cli {
namespace {

TEST(JsonValues, StandOneAfterTheOther) {
  auto values = json_values(" {\"a\": [1, {\"b\": \"}\\\"{\"}]} {}\n\t7 \"x y\" null[1]");
  ASSERT_TRUE(values) << values.error().to_string();
  EXPECT_EQ(*values, (std::vector<std::string>{"{\"a\": [1, {\"b\": \"}\\\"{\"}]}", "{}", "7", "\"x y\"", "null[1]"}));
  EXPECT_TRUE(json_values("")->empty());
  EXPECT_TRUE(json_values(" \n")->empty());
  EXPECT_EQ(json_values("{}{}")->size(), 2u);
}

TEST(JsonValues, OneThatDoesNotEndIsAnError) {
  EXPECT_FALSE(json_values("{\"a\": [1}"));
  EXPECT_FALSE(json_values("\"abc"));
}

TEST(Reach, WhatCannotBeIsSaid) {
  Target target;
  target.fields = {"no colon"};
  EXPECT_NE(metadata_of(target).error().message().find("name: value"), std::string::npos);
  target.fields = {"X-Tenant:  blue"};
  EXPECT_EQ(metadata_of(target)->find("x-tenant"), "blue");
  target.address = "nowhere";
  EXPECT_FALSE(client_of(target));
  target.address = "https://pay.test:443/";
  target.ca = "/nothing/ca.pem";
  EXPECT_NE(client_of(target).error().message().find("/nothing/ca.pem"), std::string::npos);
}

}  // namespace
}  // namespace duplex::cli
