// What only the contract shows to be wrong with a peer's settings.
#include "contract/test_contract.h"
#include "duplex/app/configured.h"

namespace duplex {
namespace {

class Fit : public testing::Test {
 protected:
  // Of a peer with these rules, called by the services of the contract in this order.
  std::string mistake(const std::string& rules, const std::vector<std::string>& services = {"t.Prices"}) {
    auto conf = parse_configuration("peers:\n  prices: {address: \"a:1\", " + rules + "}\n", "test.yaml");
    EXPECT_TRUE(conf) << conf.error().to_string();
    auto settings = peer_settings(*conf, "prices");
    if (!settings) return settings.error().message();
    Client client(*settings);
    for (const std::string& name : services) client.bind(contract::ServiceDescription(name, {}, contract_));
    EXPECT_EQ(client.mistake().message(), client.accepts(*settings).message());
    return client.mistake().message();
  }
  const Result<std::shared_ptr<const contract::Contract>> contract_ = contract::contract_of(R"(
    message Price { int64 cents = 1; }
    message Other { string text = 1; }
    service Prices {
      rpc Get(Price) returns (Price) { option (google.api.http) = {get: "/prices/{cents}"}; }
      rpc List(Price) returns (Price) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc Set(Price) returns (Other) { option (google.api.http) = {post: "/prices" body: "*"}; }
      rpc Watch(Price) returns (stream Other);
    }
    service Writes { rpc Add(Price) returns (Price); }
  )");
};

TEST_F(Fit, AReplyMustBeOneOfTheMethod) {
  EXPECT_EQ(mistake("methods: {t.Prices/Get: {fallback: {reply: '{\"cents\": 5}'}}}"), "");
  EXPECT_EQ(mistake("methods: {t.Prices/Get: {fallback: {reply: 'cents: 5'}}}"), "");
  EXPECT_EQ(mistake("methods: {t.Prices/Get: {fallback: {reply: 'cents: five'}}}"),
            "test.yaml:2:71: peers.prices.methods.t.Prices/Get.fallback.reply: is no reply of t.Prices/Get: text of "
            "t.Price: line 1, column 8: Expected integer, got: five");
  EXPECT_TRUE(mistake("methods: {t.Prices/Get: {fallback: {reply: '{\"cents\": []}'}}}")
                  .starts_with("test.yaml:2:71: peers.prices.methods.t.Prices/Get.fallback.reply: is no reply of "
                               "t.Prices/Get: JSON of t.Price: "));
}

TEST_F(Fit, AReplyForTheWholePeerMustBeOneOfAllItsMethodsThatGiveOne) {
  EXPECT_EQ(mistake("fallback: {reply: '{}'}"), "");
  EXPECT_EQ(mistake("fallback: {reply: 'cents: 5'}, methods: {t.Prices/Set: {fallback: off}}"), "");
  const std::string whole = mistake("fallback: {reply: 'cents: 5'}");
  EXPECT_TRUE(whole.starts_with("test.yaml:2:46: peers.prices.fallback.reply: is no reply of t.Prices/Set: ")) << whole;
  EXPECT_TRUE(whole.ends_with("; write a reply below `methods`, for those it fits")) << whole;
}

TEST_F(Fit, AnotherMethodMustBeThereAndHaveTheSameMessages) {
  EXPECT_EQ(mistake("methods: {t.Prices/Get: {fallback: {method: t.Prices/List}}}"), "");
  EXPECT_EQ(
      mistake("methods: {t.Prices/Get: {fallback: {method: t.Prices/Lits}}}"),
      "test.yaml:2:72: peers.prices.methods.t.Prices/Get.fallback.method: the contract has no method t.Prices/Lits");
  EXPECT_EQ(mistake("methods: {t.Prices/Get: {fallback: {method: t.Prices/Set}}}"),
            "test.yaml:2:72: peers.prices.methods.t.Prices/Get.fallback.method: t.Prices/Set has other messages than "
            "t.Prices/Get");
}

TEST_F(Fit, WhatMayNotBeCalledTwiceIsNotHedged) {
  EXPECT_EQ(mistake("methods: {t.Prices/Get: {hedge: on}, t.Prices/List: {hedge: on}}"), "");
  EXPECT_EQ(mistake("methods: {t.Prices/Set: {hedge: {idempotent: by_key}}}"), "");
  EXPECT_EQ(mistake("methods: {t.Prices/Set: {hedge: {idempotent: yes}}}"), "");
  const std::string set = mistake("methods: {t.Prices/Set: {hedge: {delay: 5ms}}}");
  EXPECT_TRUE(
      set.starts_with("test.yaml:2:60: peers.prices.methods.t.Prices/Set.hedge: t.Prices/Set may not be called twice"))
      << set;
  EXPECT_NE(set.find("write idempotent: by_key"), std::string::npos);
}

TEST_F(Fit, AHedgeForTheWholePeerIsForThoseOfItsMethodsThatMayBeCalledTwice) {
  EXPECT_EQ(mistake("hedge: on"), "");
  EXPECT_EQ(mistake("hedge: on, methods: {t.Prices/Set: {timeout: 1s}}"), "");
  EXPECT_TRUE(mistake("hedge: on", {"t.Writes"})
                  .starts_with("test.yaml:2:35: peers.prices.hedge: no method of t.Writes may be called twice"));
  EXPECT_EQ(mistake("hedge: on", {"t.Writes", "t.Prices"}), "");
}

TEST_F(Fit, APlainRequestIsJudgedByItsVerbWhenTheFileIsRead) {
  EXPECT_EQ(mistake("methods: {http:GET: {hedge: on}, http:POST: {timeout: 1s}}", {}), "");
  EXPECT_EQ(mistake("hedge: on, methods: {http:POST: {timeout: 1s}}", {}), "");
  EXPECT_EQ(mistake("methods: {http:POST: {hedge: {idempotent: by_key}}}", {}), "");
  EXPECT_TRUE(mistake("methods: {http:PATCH: {hedge: on}}", {})
                  .starts_with("test.yaml:2:58: peers.prices.methods.http:PATCH.hedge: a PATCH may not be made twice"));
}

TEST_F(Fit, SettingsMadeInCppAreJudgedToo) {
  Client::Settings settings{.name = "prices", .address = "a:1"};
  settings.methods["t.Prices/Get"].fallback.emplace().reply = "cents: x";
  Client client(settings);
  EXPECT_EQ(client.mistake().message(), "");
  client.bind(contract::ServiceDescription("t.Prices", {}, contract_));
  EXPECT_TRUE(client.mistake().message().starts_with("prices.methods.t.Prices/Get.fallback.reply: is no reply"));
  settings.methods["t.Prices/Get"].fallback->reply = "cents: 1";
  EXPECT_TRUE(client.reconfigure(settings).is_ok());
  EXPECT_TRUE(client.mistake().is_ok());
}

}  // namespace
}  // namespace duplex
