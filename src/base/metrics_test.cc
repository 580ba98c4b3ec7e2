#include "duplex/base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace duplex {
namespace {

size_t count_of(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

TEST(Metrics, SumsWhatManyThreadsCount) {
  Counter counter;
  UpDownCounter flight;
  Histogram histogram(Buckets::latency());
  std::vector<std::thread> threads;
  for (int t = 0; t < 40; ++t)  // more than have a shard of their own
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter.add();
        flight.add(i % 2 ? -1 : 1);
        histogram.observe(6'000'000);
      }
    });
  for (int i = 0; i < 100; ++i) EXPECT_LE(counter.value(), 40'000u);  // reading while they write
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000u);
  EXPECT_EQ(flight.value(), 0);
  EXPECT_EQ(histogram.read().count, 40'000u);
  EXPECT_EQ(histogram.read().counts[1], 40'000u);
}

TEST(Metrics, AnUpDownCounterMayBeLoweredOnAnotherThread) {
  UpDownCounter flight;
  flight.add(1);
  std::thread([&] { flight.add(-3); }).join();
  EXPECT_EQ(flight.value(), -2);
}

TEST(Metrics, RendersFamiliesWithHelpAndTypeOnce) {
  Registry registry;
  auto& calls = registry.counters("calls_total", "Calls, \\ and\nmore.", {"method", "code"});
  calls.with({"a", "OK"}).add(3);
  calls.with({"say \"hi\"\\\n", "OK"}).add();
  registry.gauges("pool_size", "Connections.").with({}).set(2.5);
  EXPECT_EQ(registry.render(),
            "# HELP calls_total Calls, \\\\ and\\nmore.\n"
            "# TYPE calls_total counter\n"
            "calls_total{method=\"a\",code=\"OK\"} 3\n"
            "calls_total{method=\"say \\\"hi\\\"\\\\\\n\",code=\"OK\"} 1\n"
            "# HELP pool_size Connections.\n"
            "# TYPE pool_size gauge\n"
            "pool_size 2.5\n");
}

TEST(Metrics, RendersAHistogramCumulatively) {
  Registry registry;
  Histogram& h = registry.histograms("wait_seconds", "Waits.", {"m"}).with({"x"});
  h.observe(5'000'000);  // on the bound: within
  h.observe(5'000'001);
  h.observe(20'000'000'000);  // beyond all
  std::string page = registry.render();
  EXPECT_NE(page.find("# TYPE wait_seconds histogram\n"), std::string::npos);
  EXPECT_NE(page.find("wait_seconds_bucket{m=\"x\",le=\"0.005\"} 1\n"), std::string::npos) << page;
  EXPECT_NE(page.find("wait_seconds_bucket{m=\"x\",le=\"0.01\"} 2\n"), std::string::npos);
  EXPECT_NE(page.find("wait_seconds_bucket{m=\"x\",le=\"7.5\"} 2\n"), std::string::npos);
  EXPECT_NE(page.find("wait_seconds_bucket{m=\"x\",le=\"10\"} 2\n"), std::string::npos);
  EXPECT_NE(page.find("wait_seconds_bucket{m=\"x\",le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(page.find("wait_seconds_count{m=\"x\"} 3\n"), std::string::npos);
  EXPECT_NE(page.find("wait_seconds_sum{m=\"x\"} 20.01"), std::string::npos);
  EXPECT_EQ(count_of(page, "_bucket"), 15u);
}

TEST(Metrics, TheNumberOfSeriesIsCapped) {
  Registry registry;
  auto& family = registry.counters("paths_total", "Paths.", {"path"});
  for (size_t i = 0; i < MetricFamily::kMaxSeries + 500; ++i) family.with({std::to_string(i)}).add();
  std::string page = registry.render();
  EXPECT_EQ(count_of(page, "paths_total{"), MetricFamily::kMaxSeries + 1);
  EXPECT_NE(page.find("paths_total{otel_metric_overflow=\"true\"} 500\n"), std::string::npos);
}

TEST(Metrics, AskedForAgainTheFamilyIsTheSameOne) {
  Registry registry;
  registry.counters("a_total", "A.").with({}).add(2);
  registry.counters("a_total", "A.").with({}).add(3);
  EXPECT_EQ(registry.counters("a_total", "A.").with({}).value(), 5u);
}

TEST(MetricsDeathTest, MisuseIsNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Registry registry;
  registry.counters("a_total", "A.", {"x"});
  EXPECT_DEATH(registry.counters("a_total", "A.", {"y"}), "asked for as 'counter y'");
  EXPECT_DEATH(registry.gauges("a-b", "A."), "no Prometheus name");
  EXPECT_DEATH(registry.counters("a", "A."), "ends in _total");
}

}  // namespace
}  // namespace duplex
