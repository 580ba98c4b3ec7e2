// What a call costs: while nothing fails, Remote and its policies take no memory for one.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <new>

#include "client/fake_endpoint.h"
#include "duplex/client/remote.h"
#include "duplex/runtime/run.h"
#include "duplex/service/pipe.h"

namespace {
thread_local bool counting = false;
thread_local int allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace duplex::client {
namespace {

int allocations_of_calls(const std::string& address, BalancePolicy policy, bool all_on) {
  BalanceSettings settings;
  settings.policy = policy;
  settings.hash = "metadata:x-user";
  if (all_on) {
    settings.eject.emplace();
    settings.slow_start = std::chrono::minutes(1);
  }
  Node node;
  Remote remote(
      "peer", address, nullptr, [&](const Address&) { return std::make_unique<FakeEndpoint>(node); }, settings);
  const Method method("/t.T/Unary", false, false);
  Metadata metadata;
  metadata.add("x-user", "user-7");
  return run([&](Context& ctx) -> Task<int> {
    auto calls = [&](int count) -> Task<void> {
      for (int i = 0; i < count; ++i) {
        One in{Message()};
        Drop out;
        Call call(method, metadata, in, out);
        Outcome outcome = co_await remote.call(ctx, call);
        EXPECT_TRUE(outcome.status.is_ok());
      }
    };
    co_await calls(100);  // endpoints, and the free list of frames
    allocations = 0;
    counting = true;
    co_await calls(1000);
    counting = false;
    co_return allocations;
  });
}

TEST(Allocations, AreNoneWhileNothingFails) {
  const std::string three = "10.0.0.1:80;weight=2, 10.0.0.2:80, 10.0.0.3:80";
  const std::string split = "(10.0.0.1:80, 10.0.0.2:80);weight=9, (10.0.0.3:80);weight=1";
  for (BalancePolicy policy :
       {BalancePolicy::kRoundRobin, BalancePolicy::kP2c, BalancePolicy::kEwma, BalancePolicy::kRingHash})
    for (const std::string& address : {std::string("10.0.0.1:80"), three, split})
      for (bool all_on : {false, true})
        EXPECT_EQ(allocations_of_calls(address, policy, all_on), 0)
            << static_cast<int>(policy) << " " << address << " " << all_on;
}

TEST(Allocations, AreCounted) {
  counting = true;
  allocations = 0;
  auto one = std::make_unique<std::array<char, 100>>();
  counting = false;
  EXPECT_EQ(allocations, 1);
  EXPECT_NE(one, nullptr);
}

}  // namespace
}  // namespace duplex::client
