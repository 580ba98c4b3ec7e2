#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "duplex/app/configuration.h"
#include "duplex/app/configured.h"

namespace duplex {

using namespace config;

namespace {

using namespace std::chrono_literals;

std::string errors_of(std::string_view text, std::vector<std::string> environment = {}) {
  Result<Configuration> s = parse_configuration(text, "d.yaml", environment);
  return s ? "no error" : s.error().message();
}

TEST(Config, NothingSaidMeansTheDefaults) {
  for (const char* text : {"", "# only a comment\n", "server:\n"}) {
    Result<Configuration> s = parse_configuration(text, "d.yaml");
    ASSERT_TRUE(s.has_value()) << s.error().message();
    EXPECT_EQ(s->server.listen, std::vector<std::string>{"0.0.0.0:8080"});
    EXPECT_EQ(s->server.max_message, 4u << 20);
    EXPECT_EQ(s->server.grace, 20s);
    EXPECT_EQ(s->server.max_streams, 100);
    EXPECT_TRUE(s->peers.empty());
    EXPECT_EQ(s->log.level, LogLevel::kInfo);
  }
  EXPECT_TRUE(load_configuration("", {}).has_value());
}

TEST(Config, ReadsAllThatThereIs) {
  Result<Configuration> s = parse_configuration(R"(
service: {name: shop}
server:
  listen: ["0.0.0.0:80", "[::]:80", unix:/run/shop]
  max_message: 64KiB
  grace: 1m30s
  max_connections: 5
  loops: 2
peers:
  orders: {address: "orders:9000", timeout: 250ms}
  stock-eu: {address: "[::1]:9001", connect_timeout: 1.5s, max_message: 1MB}
log: {level: warn, file: /var/log/shop.log, access: false}
)",
                                                "d.yaml");
  ASSERT_TRUE(s.has_value()) << s.error().message();
  EXPECT_EQ(s->service.name, "shop");
  EXPECT_EQ(s->server.listen, (std::vector<std::string>{"0.0.0.0:80", "[::]:80", "unix:/run/shop"}));
  EXPECT_EQ(s->server.max_message, 64u << 10);
  EXPECT_EQ(s->server.grace, 90s);
  EXPECT_EQ(s->server.max_connections, 5);
  EXPECT_EQ(s->peers.at("orders").timeout, 250ms);
  EXPECT_EQ(s->peers.at("orders").connect_timeout, 3s);
  EXPECT_EQ(s->peers.at("stock-eu").connect_timeout, 1500ms);
  EXPECT_EQ(s->peers.at("stock-eu").max_message, 1'000'000u);
  EXPECT_EQ(s->log.level, LogLevel::kWarn);
  EXPECT_FALSE(s->log.access);
}

TEST(Config, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestOne) {
  EXPECT_EQ(errors_of("server:\n  lisen: [\"a:1\"]\n"),
            "d.yaml:2:3: server.lisen: there is no such setting; did you mean \"listen\"?");
  EXPECT_EQ(errors_of("server:\n  MaxMessage: 1MiB\n"),
            "d.yaml:2:3: server.MaxMessage: there is no such setting; did you mean \"max_message\"?");
  EXPECT_EQ(errors_of("zebra: 1\n"),
            "d.yaml:1:1: zebra: there is no such setting; known here: service, server, peers, log");
  EXPECT_EQ(errors_of("peers:\n  a: {adress: \"b:1\"}\n"),
            "d.yaml:2:7: peers.a.adress: there is no such setting; did you mean \"address\"?\n"
            "d.yaml:2:6: peers.a.address: this setting is required (address)");
}

TEST(Config, AWrongValueIsNamedWithItsPlaceAndTheMend) {
  EXPECT_EQ(
      errors_of("server: {grace: 20}"),
      "d.yaml:1:17: server.grace: \"20\" is not a duration: write a number and its unit (ns, us, ms, s, m, h), such as "
      "250ms");
  EXPECT_EQ(
      errors_of("server: {max_message: 4}"),
      "d.yaml:1:23: server.max_message: \"4\" is not a size: write a number and its unit (B, KiB, MiB, GiB, kB, MB, "
      "GB), such as 4MiB");
  EXPECT_EQ(errors_of("server: {max_message: 12B}"),
            "d.yaml:1:23: server.max_message: \"12B\" is less than 1KiB, the least allowed");
  EXPECT_EQ(errors_of("server: {grace: 2h}"), "d.yaml:1:17: server.grace: \"2h\" is more than 1h, the most allowed");
  EXPECT_EQ(errors_of("server: {max_streams: 0}"),
            "d.yaml:1:23: server.max_streams: \"0\" is less than 1, the least allowed");
  EXPECT_EQ(errors_of("server: {max_streams: many}"),
            "d.yaml:1:23: server.max_streams: \"many\" is not a whole number");
  EXPECT_EQ(errors_of("server: {loops: 99999999999999999999}"),
            "d.yaml:1:17: server.loops: \"99999999999999999999\" is out of range");
  EXPECT_EQ(errors_of("log: {level: warning}"),
            "d.yaml:1:14: log.level: \"warning\" is not allowed; did you mean \"warn\"?");
  EXPECT_EQ(errors_of("log: {access: yes}"), "d.yaml:1:15: log.access: \"yes\" is neither true nor false");
  EXPECT_EQ(errors_of("server: {listen: [nowhere]}"),
            "d.yaml:1:19: server.listen[0]: \"nowhere\" is not an address: write host:port, [::]:port or unix:/path");
  EXPECT_EQ(errors_of("server: {listen: [\"a:70000\"]}"),
            "d.yaml:1:19: server.listen[0]: \"a:70000\": the port is not a number from 0 to 65535");
}

TEST(Config, AWrongShapeIsNamed) {
  EXPECT_EQ(errors_of("server: [1]"), "d.yaml:1:9: server: expected a section (names and values), found a list");
  EXPECT_EQ(errors_of("server: {grace: [1s]}"), "d.yaml:1:17: server.grace: expected duration, found a list");
  EXPECT_EQ(errors_of("server: {grace: }"), "d.yaml:1:17: server.grace: expected duration, found nothing");
  EXPECT_EQ(errors_of("server: {listen: \"a:1\"}"),
            "d.yaml:1:18: server.listen: expected a list of address, found a single value; write [a:1]");
  EXPECT_EQ(errors_of("just text"), "d.yaml:1:1: expected a section (names and values), found a single value");
  EXPECT_NE(errors_of("peers: {\"a b\": {address: \"x:1\"}}").find("\"a b\" is no name"), std::string::npos);
}

TEST(Config, AllMistakesAreToldAtOnce) {
  std::string all = errors_of("server:\n  grace: 1\n  loops: x\nlog:\n  levle: info\n");
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2);
}

TEST(Config, WhatIsNoYamlIsNamedWithItsPlace) {
  EXPECT_EQ(errors_of("server:\n  grace: [1s\n").substr(0, 9), "d.yaml:3:");
  EXPECT_EQ(errors_of("a: 1\na: 2\n"), "d.yaml:2:1: \"a\" stands here twice; the first is at d.yaml:1:1");
  EXPECT_NE(errors_of("server: {}\n---\nlog: {}\n").find("a second document"), std::string::npos);
  EXPECT_NE(errors_of(",").find("d.yaml:1:1: this is no YAML"), std::string::npos) << errors_of(",");
  EXPECT_NE(errors_of("? [a, b]\n: 1\n").find("a key must be a plain word"), std::string::npos);
}

TEST(Config, HostileYamlHasAnEnd) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    std::string before(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + std::string(1, c) + " [";
    for (int i = 0; i < 10; ++i) bomb += "*" + before + (i < 9 ? "," : "]\n");
  }
  EXPECT_NE(errors_of(bomb).find("more than 100000 values"), std::string::npos);
  EXPECT_NE(errors_of(std::string(100, '[') + std::string(100, ']')).find("nested more than 32"), std::string::npos);
  EXPECT_NE(errors_of("a: &a [*a]\n"), "no error");
  EXPECT_NE(errors_of(std::string(100'000, '[')), "no error");
}

TEST(Config, TheEnvironmentHasTheLastWord) {
  Result<Configuration> s =
      parse_configuration("server: {grace: 1s, max_streams: 7}\npeers: {stock-eu: {address: \"a:1\"}}\n", "d.yaml",
                          {"DUPLEX_SERVER__GRACE=5s", "DUPLEX_SERVER__LISTEN=0.0.0.0:1, unix:/x", "HOME=/root",
                           "DUPLEX_PEERS__STOCK_EU__TIMEOUT=2s", "DUPLEX_PEERS__NEW__ADDRESS=n:1", "DUPLEX_CONFIG=x"});
  ASSERT_TRUE(s.has_value()) << s.error().message();
  EXPECT_EQ(s->server.grace, 5s);
  EXPECT_EQ(s->server.max_streams, 7);
  EXPECT_EQ(s->server.listen, (std::vector<std::string>{"0.0.0.0:1", "unix:/x"}));
  EXPECT_EQ(s->peers.at("stock-eu").timeout, 2s);
  EXPECT_EQ(s->peers.at("stock-eu").address, "a:1");
  EXPECT_EQ(s->peers.at("new").address, "n:1");

  EXPECT_EQ(
      errors_of("", {"DUPLEX_SERVER__GRACEE=5s"}),
      "environment variable DUPLEX_SERVER__GRACEE: server.gracee: there is no such setting; did you mean \"grace\"?");
  EXPECT_EQ(errors_of("", {"DUPLEX_SERVER__LOOPS=x"}),
            "environment variable DUPLEX_SERVER__LOOPS: server.loops: \"x\" is not a whole number");
}

TEST(Config, FilesAreReadAndMissedByName) {
  EXPECT_EQ(load_configuration("/no/such.yaml", {}).error().message(), "there is no configuration file /no/such.yaml");
  EXPECT_EQ(load_configuration("/tmp", {}).error().code(), Code::kFailedPrecondition);
  std::string path = testing::TempDir() + "duplex_config_" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "server:\n  grace: 3s\n  bogus: 1\n";
  EXPECT_TRUE(load_configuration(path, {}).error().message().starts_with(path + ":3:3: server.bogus: "));
  unlink(path.c_str());
}

TEST(Config, TheReferenceComesFromTheTables) {
  std::string text = reference(*configuration_table().shape());
  EXPECT_NE(text.find("## `server`\n\nHow calls are taken.\n"), std::string::npos);
  EXPECT_NE(text.find("| `grace` | duration | `20s` | "), std::string::npos);
  EXPECT_NE(text.find("`DUPLEX_SERVER__GRACE`"), std::string::npos);
  EXPECT_NE(text.find("| `max_streams` | whole number (calls a connection) | `100` |"), std::string::npos);
  EXPECT_NE(text.find("## `peers.<name>`"), std::string::npos);
  EXPECT_NE(text.find("| `address` | address | required |"), std::string::npos);
}

TEST(Kinds, ShowWhatTheyParse) {
  for (const char* t : {"0", "1ns", "250ms", "1500ms", "90s", "1h", "25m"})
    EXPECT_EQ(duration().show(*duration().parse(t)), t);
  for (const char* t : {"0", "1B", "1500B", "64KiB", "4MiB", "1MB"}) EXPECT_EQ(size().show(*size().parse(t)), t);
  for (const char* t : {"", "1", "s", "1x", "-1s", "1 s", "1.2.3s", "9999999999h", "1s2"})
    EXPECT_FALSE(duration().parse(t)) << t;
  EXPECT_FALSE(size().parse("99999999999GiB"));
  for (const char* t : {":1", "a", "a:", "a:x", "::1:80", "[]:1", "unix:", "http://a:1"})
    EXPECT_FALSE(address().parse(t)) << t;
}

constexpr const char* kPolicies = R"(
peers:
  payments:
    methods:
      shop.v1.Payments/Charge: {retry: {attempts: 2, idempotent: by_key}, breaker: off}
      shop.v1.Payments/Refund: {timeout: 9s}
    address: payments.internal:8080
    timeout: 2s
    retry: {attempts: 3, per_try: 500ms, backoff: {base: 25ms, cap: 1s}, on: [UNAVAILABLE, 502], budget: {ratio: 0.2, floor: 10/s}}
    breaker: {window: 100 calls, failure_rate: 50%, slow_call: 1s, slow_rate: 0.8, minimum: 20, open_for: 5s, probes: 3}
    balance: {policy: p2c, eject: {consecutive: 5, for: 10s, at_most: 0.5}}
    limit: {in_flight: 200, queue: 50}
    fallback: {last_good: {max_age: 60s, entries: 1000}, on: [UNAVAILABLE, DEADLINE_EXCEEDED, open], reserve: 50ms}
  stock: {address: "a:1", breaker: on}
server:
  limit: {adaptive: {start: 20}, shed: by_priority}
  rate_limit: [{key: "metadata:x-tenant", rate: 100/s, burst: 200}]
)";

TEST(Policies, AMethodBeginsAsItsPeerIsWhereverItStands) {
  Result<Configuration> c = parse_configuration(kPolicies, "d.yaml");
  ASSERT_TRUE(c.has_value()) << c.error().to_string();
  const PeerSettings& peer = c->peers.at("payments");
  ASSERT_TRUE(peer.retry && peer.breaker && peer.limit && peer.fallback && peer.balance.eject);
  EXPECT_EQ(peer.retry->on, (std::vector{resilience::Cause::of(Code::kUnavailable), resilience::Cause::http(502)}));
  EXPECT_EQ(peer.retry->per_try, 500ms);
  EXPECT_EQ(peer.breaker->window.calls, 100);
  EXPECT_EQ(peer.breaker->failure_rate, 0.5);
  EXPECT_EQ(peer.balance.eject->lasts, 10s);
  const resilience::Policy& charge = peer.methods.at("shop.v1.Payments/Charge");
  ASSERT_TRUE(charge.retry.has_value());
  EXPECT_EQ(charge.retry->attempts, 2);
  EXPECT_EQ(charge.retry->idempotent, resilience::Repeat::kByKey);
  EXPECT_EQ(charge.retry->per_try, 500ms);
  EXPECT_EQ(charge.timeout, 2s);
  EXPECT_FALSE(charge.breaker.has_value());
  EXPECT_EQ(peer.methods.at("shop.v1.Payments/Refund").timeout, 9s);
  EXPECT_TRUE(c->peers.at("stock").breaker.has_value());
  EXPECT_FALSE(c->peers.at("stock").retry.has_value());
  ASSERT_EQ(c->server.rate_limit.size(), 1u);
  EXPECT_EQ(c->server.rate_limit[0].rate, 100);
  EXPECT_EQ(c->server.limit->adaptive->start, 20);
}

TEST(Policies, MistakesNameTheirPlace) {
  auto mistake = [](std::string policy) {
    return parse_configuration("peers:\n  p:\n    address: a:1\n    " + policy + "\n", "d.yaml").error().message();
  };
  EXPECT_EQ(
      mistake("retry: {on: [UNAVAILABEL]}"),
      "d.yaml:4:18: peers.p.retry.on[0]: \"UNAVAILABEL\" is no cause: write a gRPC code, an HTTP status, `open` or "
      "`limit`; did you mean \"UNAVAILABLE\"?");
  EXPECT_NE(mistake("retry: yes").find("d.yaml:4:12: peers.p.retry: expected a section"), std::string::npos);
  EXPECT_NE(mistake("breaker: {window: 100}").find("write `100 calls`"), std::string::npos);
  EXPECT_NE(mistake("breaker: {failure_rate: 50}").find("more than 1"), std::string::npos);
  EXPECT_NE(mistake("retry: {budget: {floor: 10}}").find("write 10/s"), std::string::npos);
  EXPECT_NE(mistake("methods: {Charge: {}}").find("is no method: write package.Service/Method"), std::string::npos);
  EXPECT_NE(mistake("methods: {a.B/C: {retry: {atempts: 1}}}").find("peers.p.methods.a.B/C.retry.atempts"),
            std::string::npos);
}

TEST(Configuration, AServiceConfigIsReadWithIt) {
  const std::string yaml = testing::TempDir() + "duplex-configuration-" + std::to_string(::getpid()) + ".yaml",
                    json = yaml + ".json";
  std::ofstream(yaml) << "peers:\n  a: {address: \"a:1\", service_config: " << json
                      << "}\n  b: {address: \"b:1\", service_config: '{\"methodConfig\": []}'}\n";
  // What is watched is known also while it cannot be read.
  EXPECT_EQ(files_of_configuration(yaml, {}), (std::vector<std::string>{yaml, json}));
  EXPECT_EQ(load_configuration(yaml, {}).error().message(),
            yaml + ":2:39: peers.a.service_config: the file " + json +
                " cannot be read; write the path of a gRPC service config, or its JSON itself");
  std::ofstream(json) << "{\"methodConfig\": [{\"name\": [{}], \"timeout\": \"2s\"}]}";
  Result<Configuration> conf = load_configuration(yaml, {});
  ASSERT_TRUE(conf) << conf.error().message();
  EXPECT_EQ(conf->peers.at("a").service_config.read->find("/t.T/M")->timeout, std::chrono::seconds(2));
  EXPECT_EQ(conf->peers.at("b").service_config.read->find("/t.T/M"), nullptr);
  std::ofstream(yaml) << "peers: [";
  EXPECT_EQ(files_of_configuration(yaml, {}), std::vector<std::string>{yaml});
  ::unlink(yaml.c_str());
  ::unlink(json.c_str());
}

TEST(Configuration, RetriesStandInOnePlace) {
  const std::string config =
      "service_config: '{\"methodConfig\": [{\"name\": [{\"service\": \"t.T\"}], \"retryPolicy\": {\"maxAttempts\": 2, "
      "\"initialBackoff\": \"1s\", \"maxBackoff\": \"1s\", \"backoffMultiplier\": 1, \"retryableStatusCodes\": "
      "[14]}}]}'";
  auto mistake = [&](const std::string& rules) {
    auto conf = parse_configuration("peers: {a: {address: \"a:1\", " + config + rules + "}}", "test.yaml");
    return conf ? check(*conf).message() : conf.error().message();
  };
  EXPECT_EQ(mistake(""), "");
  EXPECT_EQ(mistake(", methods: {t.Other/M: {retry: on}}"), "");
  EXPECT_EQ(
      mistake(", retry: on"),
      "test.yaml:1:12: peers.a: its service_config has retries or hedges of its own; leave `retry` and `hedge` out, "
      "or switch them `off`");
  EXPECT_TRUE(mistake(", methods: {t.T/M: {hedge: {idempotent: yes}}}")
                  .starts_with("test.yaml:1:12: peers.a.methods.t.T/M: its service_config has retries"));
}

}  // namespace
}  // namespace duplex
